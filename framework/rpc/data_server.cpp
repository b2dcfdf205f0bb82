#include <mailroom/framework/rpc/data_server.hpp>
#include <mailroom/framework/rpc/inbound_session.hpp>

#include <utility>

namespace mailroom::rpc {

data_server::data_server(executors::event_loop& loop,
                         const dispatcher& endpoints,
                         const session_table& sessions,
                         const caller::limits& bounds,
                         answer_store* answers,
                         const vigil* awake)
    : loop_(loop),
      endpoints_(endpoints),
      sessions_(sessions),
      limits_(bounds),
      answers_(answers),
      awake_(awake) {}

data_server::~data_server() = default;

link_observer* data_server::on_accept(link& opened) noexcept {
  auto session = std::make_unique<inbound_session>(*this, opened);
  auto* observer = session.get();
  links_.emplace(observer, std::move(session));
  return observer;
}

void data_server::drop(const session_id& session) noexcept {
  for (auto at = links_.begin(); at != links_.end();) {
    inbound_session& each = *at->second;
    ++at;  // `gone` erases it.
    if (each.session() != nullptr && *each.session() == session) {
      each.close(false);
      gone(each);
    }
  }
}

void data_server::cancel(const session_id& session, std::span<const wire::cancel> calls) {
  for (auto& [key, each] : links_) {
    if (each->session() != nullptr && *each->session() == session) {
      each->cancel(calls);
    }
  }
}

std::size_t data_server::large_backlog() const noexcept {
  std::size_t all = 0;
  for (const auto& [key, each] : links_) {
    all += each->large_backlog();
  }
  return all;
}

void data_server::close() noexcept {
  for (auto& [key, each] : links_) {
    each->close(true);
  }
  links_.clear();
  peers_.store(0, std::memory_order_relaxed);
}

void data_server::gone(inbound_session& ended) noexcept {
  if (ended.session() != nullptr) {
    peers_.fetch_sub(1, std::memory_order_relaxed);
    ended.cancel_all();
  }
  links_.erase(&ended);
}

}  // namespace mailroom::rpc
