// The link itself: what comes by it, and its end.

#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/inbound_session.hpp>

#include <map>
#include <set>
#include <string>
#include <utility>

namespace mailroom::rpc {

void inbound_session::cancel(std::span<const wire::cancel> calls) {
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

void inbound_session::cancel_all() {
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

void inbound_session::close(bool flush) noexcept {
  if (flush) {
    from_->writer().flush();
  }
  if (link* open = std::exchange(link_, nullptr)) {
    open->close(flush);
  }
}

void inbound_session::on_frame(link&, wire::frame received) noexcept {
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

void inbound_session::on_review() noexcept {
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

void inbound_session::cut_off() noexcept {
  server_.counters_.cut_off.fetch_add(1, std::memory_order_relaxed);
  log::warn_limited(link_->log_group(),
                    "peer_cut_off",
                    {{"peer", link_->peer_address()},
                     {"node", from_->name()},
                     {"unread_bytes", from_->writer().backlog()}});
  close(false);
  server_.gone(*this);
}

result<void> inbound_session::read_all(wire::reader& messages, const wire::frame& whole) {
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

result<void> inbound_session::read_messages(wire::reader& messages,
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

result<void> inbound_session::on_attach(const wire::message& received) {
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

result<void> inbound_session::on_route(const wire::message& received) {
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

void inbound_session::reject(std::string_view why) noexcept {
  server_.counters_.garbage.fetch_add(1, std::memory_order_relaxed);
  const std::string peer(link_->peer_address());
  log::warn_limited(
      link_->log_group(), "link_closed", {{"peer", peer}, {"plane", "data"}, {"reason", why}});
  close(false);
  server_.gone(*this);
}

}  // namespace mailroom::rpc
