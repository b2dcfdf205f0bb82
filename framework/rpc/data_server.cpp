#include <mailroom/framework/base/counting.hpp>
#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/chunk_taker.hpp>
#include <mailroom/framework/rpc/credit_giver.hpp>
#include <mailroom/framework/rpc/data_server.hpp>
#include <mailroom/framework/rpc/given_up_calls.hpp>
#include <mailroom/framework/rpc/method.hpp>
#include <mailroom/framework/wire/clock_estimate.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mailroom::rpc {
namespace {

constexpr std::size_t most_reserved = 1024;  // Calls.
constexpr duration attach_within = std::chrono::seconds(2);

}  // namespace

/// One peer's data link, from its attach message to its end.
class inbound_session final : public link_observer, private executors::timer {
 public:
  inbound_session(data_server& server, link& opened)
      : server_(server), link_(&opened), from_(make_ref<caller>(server.loop_, server.limits_)) {
    server_.loop_.arm(*this, attach_by_);
  }
  ~inbound_session() {
    if (attached_) {
      session_links_->fetch_sub(1, std::memory_order_relaxed);
    }
    server_.loop_.cancel(*this);
    from_->close();
    server_.loop_.forget(review_);
  }

  const session_id* session() const noexcept { return attached_ ? &session_ : nullptr; }
  std::size_t large_backlog() const noexcept { return from_->large_backlog(); }

  void cancel(std::span<const wire::cancel> calls) {
    std::map<activation*, std::vector<std::uint64_t>> by_endpoint;
    for (const auto& each : calls) {
      early_.add(each.id, server_.loop_.now());
      if (each.route < routes_.size()) {
        for (activation* at : routes_[each.route].endpoints()) {
          by_endpoint[at].push_back(each.id);
        }
      }
    }
    for (auto& [at, ids] : by_endpoint) {
      at->post(*new cancel_note(*at, from_, std::move(ids)));
    }
  }

  /// Nobody waits for its calls any more.
  void cancel_all() {
    from_->close();
    std::set<activation*> all;
    for (const auto& each : routes_) {
      const auto endpoints = each.endpoints();
      all.insert(endpoints.begin(), endpoints.end());
    }
    for (activation* at : all) {
      at->post(*new cancel_note(*at, from_));
    }
  }

  void close(bool flush) noexcept {
    if (flush) {
      from_->writer().flush();
    }
    if (link* open = std::exchange(link_, nullptr)) {
      open->close(flush);
    }
  }

 private:
  // Answers are written while frames are read and batches walked, and timers fire under their lock:
  // where a link must not close. Both leave it to this.
  class review final : public executors::event_loop::source {
   public:
    explicit review(inbound_session& of) noexcept
        : source(executors::event_loop::phase::output), of_(of) {}
    void on_ready() noexcept override { of_.on_review(); }

   private:
    inbound_session& of_;
  };

  struct resolved {
    std::uint64_t generation = 0;
    dispatcher::found found;
    wire::route names;

    std::span<activation* const> endpoints() const noexcept {
      if (generation == 0) {
        return {};
      }
      return found.among != nullptr ? found.among->all()
                                    : std::span<activation* const>(&found.at, 1);
    }
  };

  void on_open(link&) noexcept override {}
  void on_writable(link&) noexcept override { from_->writer().on_writable(); }
  void on_closed(link&, const error&) noexcept override {
    link_ = nullptr;
    server_.gone(*this);
  }

  void on_time() noexcept override { server_.loop_.notify(review_); }

  void on_frame(link&, wire::frame received) noexcept override {
    server_.counters_.frames.fetch_add(1, std::memory_order_relaxed);
    auto opened = wire::reader::open(received.bytes(), wire::plane::data);
    if (!opened) {
      reject(opened.error().message());
      return;
    }
    if (const auto read = read_all(*opened, received); !read) {
      reject(read.error().message());
    }
  }

  void on_review() noexcept {
    if (link_ == nullptr) {
      return;
    }
    if (!attached_) {
      if (server_.loop_.now() >= attach_by_) {
        reject("no attach message in time");
      }
    } else if (from_->over_backlog()) {
      // The writer has had its turn to flush, since it was made ready before this.
      cut_off();
    }
  }

  void cut_off() noexcept {
    server_.counters_.cut_off.fetch_add(1, std::memory_order_relaxed);
    log::warn_limited(link_->peer_host(),
                      "peer_cut_off",
                      {{"peer", link_->peer_address()},
                       {"node", from_->name()},
                       {"unread_bytes", from_->writer().backlog()}});
    close(false);
    server_.gone(*this);
  }

  result<void> read_all(wire::reader& messages, const wire::frame& whole) {
    std::vector<std::unique_ptr<call_batch>> batches;
    const result<void> read = read_messages(messages, whole, batches);
    post_all(batches);
    if (!read) {
      return read;
    }
    if (const std::uint64_t bytes = taker_.take_count(); bytes != 0) {
      wire::write_taken(from_->writer().pending(), bytes);
      from_->written_unadmitted();
    }
    if (credit_.is_due()) {
      wire::write_credit(from_->writer().pending(), credit_.take());
      from_->written_unadmitted();
    }
    return read;
  }

  static void post_all(std::vector<std::unique_ptr<call_batch>>& batches) noexcept {
    for (auto& each : batches) {
      activation& to = each->to();
      to.deliver(*each.release());
    }
    batches.clear();
  }

  result<void> read_messages(wire::reader& messages,
                             const wire::frame& whole,
                             std::vector<std::unique_ptr<call_batch>>& batches) {
    const time_point now = server_.loop_.now();
    const bool accepting = server_.accepting_.load(std::memory_order_acquire);
    wire::message each;
    for (;;) {
      const auto more = messages.next(each);
      if (!more) {
        return more.error();
      }
      if (!*more) {
        return {};
      }
      if (!attached_ && each.what != wire::kind::attach) {
        return error(errc::protocol_error, "the first message of a data link must be attach");
      }
      switch (each.what) {
        case wire::kind::call:
        case wire::kind::cast:
          credit_.spend(wire::message_head_size + each.head.size() + each.payload.size());
          if (const auto ok =
                  each.payload.empty()
                      ? on_large_call(each, whole, now, accepting, batches)
                      : on_call(each, whole, messages.count() + 1, now, accepting, batches);
              !ok) {
            return ok;
          }
          break;
        case wire::kind::chunk:
          if (const auto ok = taker_.take(each, server_.limits_.max_body); !ok) {
            return ok;
          }
          break;
        case wire::kind::taken: {
          std::uint64_t bytes = 0;
          if (!wire::id_head::read(each.head, bytes)) {
            return error(errc::protocol_error, "taken with fixed fields too short");
          }
          from_->taken(bytes);
          break;
        }
        case wire::kind::route:
          if (const auto ok = on_route(each); !ok) {
            return ok;
          }
          break;
        case wire::kind::chain: {
          auto chain = wire::read_chain(each);
          if (!chain) {
            return chain.error();
          }
          chained_ = chain->id;
          chain_ = make_ref<call_chain>(std::move(chain->links));
          break;
        }
        case wire::kind::fence: {
          std::uint64_t number = 0;
          if (!wire::id_head::read(each.head, number)) {
            return error(errc::protocol_error, "fence with fixed fields too short");
          }
          // Only now is everything before it where nothing that comes later can overtake it.
          post_all(batches);
          wire::write_fenced(from_->writer().pending(), number);
          from_->written_unadmitted();
          break;
        }
        case wire::kind::attach:
          if (const auto ok = on_attach(each); !ok) {
            return ok;
          }
          break;
        default: break;  // A newer peer's; PROTOCOL.md says to skip it.
      }
    }
  }

  result<void> on_attach(const wire::message& received) {
    auto what = wire::read_attach(received);
    if (!what) {
      return what.error();
    }
    if (attached_) {
      return error(errc::protocol_error, "attach twice on one link");
    }
    const auto known = server_.sessions_.find(what->session);
    if (!known) {
      return error(errc::protocol_error, "attach to a session that is not open");
    }
    session_ = what->session;
    clocks_ = known->relation;
    clocks_->set(what->clocks);
    session_links_ = known->links;
    session_links_->fetch_add(1, std::memory_order_relaxed);
    attached_ = true;
    server_.peers_.fetch_add(1, std::memory_order_relaxed);
    if (server_.awake_ != nullptr && known->began != vigil::none) {
      from_->watch(*server_.awake_, known->began);
    }
    if (known->credits) {
      credit_.begin(server_.limits_.in_flight, server_.limits_.credit_bytes);
    }
    if (known->chunks) {
      from_->use_chunks();
    }
    from_->open(*link_, known->node, &review_);
    from_->writer().pending().begin(wire::kind::attached, 0);
    from_->writer().pending().finish();
    from_->writer().written();
    return {};
  }

  result<void> on_route(const wire::message& received) {
    auto declared = wire::read_route(received);
    if (!declared) {
      return declared.error();
    }
    // Numbers come without gaps, so that the table grows no faster than what the peer has sent.
    if (declared->number > routes_.size()) {
      return error(errc::protocol_error, "route number that leaves a gap");
    }
    if (declared->number == routes_.size()) {
      routes_.emplace_back();
    }
    auto& route = routes_[declared->number];
    route_bytes_ = route_bytes_ - wire::size_of(route.names) + wire::size_of(*declared);
    if (route_bytes_ > wire::max_route_bytes) {
      return error(errc::protocol_error, "routes with names of more than 16 MiB");
    }
    route.generation = 0;
    route.names = *std::move(declared);
    return {};
  }

  result<void> on_call(const wire::message& received,
                       const wire::frame& whole,
                       std::uint32_t messages,
                       time_point now,
                       bool accepting,
                       std::vector<std::unique_ptr<call_batch>>& batches) {
    wire::call_head head;
    if (!wire::call_head::read(received.head, head)) {
      return error(errc::protocol_error, "call with fixed fields too short");
    }
    if (head.route >= routes_.size()) {
      return error(errc::protocol_error, "call with a route that was not declared");
    }
    const bool wants_answer = received.what == wire::kind::call;
    ref<call_chain> within = std::exchange(chain_, {});
    if (chained_ != head.id) {
      within = {};  // Of a call that was not sent after all.
    }
    count(wants_answer ? server_.counters_.calls : server_.counters_.casts, 1);
    if (wants_answer && !from_->admit()) {
      server_.counters_.refused.fetch_add(1, std::memory_order_relaxed);
      wire::write_failure(from_->answers(),
                          head.id,
                          error(errc::busy, "too many calls of this peer are unanswered")
                              .with_retry_after(std::chrono::milliseconds(50)));
      from_->written_unadmitted();
      return {};
    }
    if (!accepting) {
      return refuse(head.id,
                    wants_answer,
                    error(errc::stopping, "the server is stopping; the call has not run"));
    }
    if (!early_.empty() && early_.contains(head.id, now)) {
      count(server_.counters_.cancelled, 1);
      if (wants_answer) {
        wire::write_failure(from_->answers(), head.id, given_up_error());
        from_->written();
      }
      return {};
    }
    const deadline until = to_our_clock(head.deadline);
    if (until.passed(now)) {
      server_.counters_.expired.fetch_add(1, std::memory_order_relaxed);
      return refuse(head.id,
                    wants_answer,
                    error(errc::expired, execution::not_run, "expired before it arrived"));
    }
    if (received.payload.size() > server_.limits_.max_body) {
      return refuse(
          head.id,
          wants_answer,
          error(errc::too_large,
                "the arguments have " + std::to_string(received.payload.size()) +
                    " bytes, over the limit of " + std::to_string(server_.limits_.max_body)));
    }
    auto& route = routes_[head.route];
    if (route.generation != server_.endpoints_.generation()) {
      const auto generation = server_.endpoints_.generation();
      const auto found = server_.endpoints_.find(route.names);
      if (!found) {
        count(server_.counters_.unroutable, 1);
        return refuse(head.id, wants_answer, found.error());
      }
      route.found = *found;
      route.generation = generation;
    }
    const auto& [at, what, among] = route.found;
    const arrived_call call{head.id, until, what, received.payload, wants_answer, head.priority};
    ref<keyed_call> key;
    if (wants_answer && wire::call_head::has_key(received.head) &&
        is_duplicate(wire::call_head::key_in(received.head), head.id, key)) {
      return {};
    }
    if (among == nullptr) {
      batch_for(*at, whole, messages, batches).add(call, std::move(within), std::move(key));
    } else if (head.for_all && !wants_answer) {
      for (activation* each : among->all()) {
        each->expect();
        batch_for(*each, whole, messages, batches).add(call);
      }
      count(server_.counters_.casts, among->all().size() - 1);  // Each ends by itself.
    } else {
      activation& to = among->pick(*what, received.payload, within.get());
      batch_for(to, whole, messages, batches).add(call, std::move(within), std::move(key));
    }
    return {};
  }

  bool is_duplicate(const wire::call_key& key, std::uint64_t id, ref<keyed_call>& first) {
    if (server_.answers_ == nullptr || key == wire::call_key{}) {
      return false;
    }
    first = server_.answers_->arrive(key, *from_, id, server_.loop_.now());
    if (first) {
      return false;
    }
    count(server_.counters_.duplicate, 1);
    return true;
  }

  // One whose payload has come before, in chunks. Nothing else may be in the batch that holds it.
  result<void> on_large_call(const wire::message& received,
                             const wire::frame& whole,
                             time_point now,
                             bool accepting,
                             std::vector<std::unique_ptr<call_batch>>& batches) {
    wire::call_head head;
    const auto body = wire::call_head::read(received.head, head) ? taker_.body_of(head.id)
                                                                 : std::optional<wire::frame>();
    if (!body) {
      return on_call(received, whole, 1, now, accepting, batches);
    }
    wire::message large = received;
    large.payload = body->bytes();
    post_all(batches);
    const auto done = on_call(large, *body, 1, now, accepting, batches);
    post_all(batches);
    return done;
  }

  call_batch& batch_for(activation& to,
                        const wire::frame& whole,
                        std::uint32_t messages,
                        std::vector<std::unique_ptr<call_batch>>& batches) {
    // The last first: calls for one endpoint usually come in runs.
    for (std::size_t i = batches.size(); i > 0; --i) {
      if (&batches[i - 1]->to() == &to) {
        return *batches[i - 1];
      }
    }
    batches.push_back(std::make_unique<call_batch>(to, from_, whole));
    if (batches.size() == 1) {
      batches.back()->reserve(std::min<std::size_t>(messages, most_reserved));
    }
    return *batches.back();
  }

  result<void> refuse(std::uint64_t id, bool wants_answer, const error& why) {
    server_.counters_.refused.fetch_add(1, std::memory_order_relaxed);
    if (wants_answer) {
      wire::write_failure(from_->answers(), id, why);
      from_->written();
    }
    return {};
  }

  deadline to_our_clock(std::int64_t theirs) const noexcept {
    if (theirs == wire::call_head::no_deadline) {
      return deadline::none();
    }
    return deadline(time_point(duration(wire::receiver_deadline(theirs, clocks_->get()))));
  }

  void reject(std::string_view why) noexcept {
    server_.counters_.garbage.fetch_add(1, std::memory_order_relaxed);
    const std::string peer(link_->peer_address());
    log::warn_limited(
        link_->peer_host(), "link_closed", {{"peer", peer}, {"plane", "data"}, {"reason", why}});
    close(false);
    server_.gone(*this);
  }

  data_server& server_;
  link* link_;
  ref<caller> from_;
  review review_{*this};
  const time_point attach_by_ = server_.loop_.now() + attach_within;
  bool attached_ = false;
  session_id session_{};
  std::shared_ptr<session_table::clocks> clocks_;
  std::shared_ptr<std::atomic<std::size_t>> session_links_;
  std::vector<resolved> routes_;
  std::size_t route_bytes_ = 0;  // Of their names.
  early_cancels early_;
  std::uint64_t chained_ = 0;  // The call that `chain_` is of, which comes next.
  ref<call_chain> chain_;
  credit_giver credit_;
  chunk_taker taker_;
};

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
