#include <mailroom/transports/local/end.hpp>

#include <cassert>
#include <utility>

namespace mailroom::transports::local {
namespace {

// What one pass delivers before other sources of the loop have their turn.
constexpr std::size_t frames_per_pass = 256;
constexpr std::size_t bytes_per_pass = std::size_t{1} << 20;

}  // namespace

void ownership::add(std::shared_ptr<end> one) {
  const std::lock_guard held(mutex_);
  end* key = one.get();
  ends_.emplace(key, std::move(one));
}

std::shared_ptr<end> ownership::remove(end& one) {
  const std::lock_guard held(mutex_);
  auto node = ends_.extract(&one);
  return node.empty() ? nullptr : std::move(node.mapped());
}

void ownership::close_all() {
  std::unordered_map<end*, std::shared_ptr<end>> closing;
  {
    const std::lock_guard held(mutex_);
    closing.swap(ends_);
  }
  for (auto& [key, one] : closing) {
    one->close(true);
  }
}

end::end(executors::event_loop& on,
         std::shared_ptr<connection> through,
         std::string peer,
         rpc::link_observer& who,
         std::weak_ptr<ownership> owner,
         std::size_t max_frame)
    : source(executors::event_loop::phase::input),
      loop_(on),
      connection_(std::move(through)),
      peer_(std::move(peer)),
      observer_(&who),
      owner_(std::move(owner)),
      max_frame_(max_frame),
      dialled_(true) {
  if (connection_) {
    in_ = &connection_->to_dialler;
    out_ = &connection_->to_acceptor;
  }
}

end::end(executors::event_loop& on,
         std::shared_ptr<connection> through,
         std::string peer,
         rpc::acceptor& who,
         std::weak_ptr<ownership> owner,
         std::size_t max_frame)
    : source(executors::event_loop::phase::input),
      loop_(on),
      connection_(std::move(through)),
      in_(&connection_->to_acceptor),
      out_(&connection_->to_dialler),
      peer_(std::move(peer)),
      acceptor_(&who),
      owner_(std::move(owner)),
      max_frame_(max_frame),
      open_(true) {}

void end::attach() {
  if (connection_) {
    out_->set_writer({&loop_, this});
    in_->set_reader({&loop_, this});
  }
  if (dialled_) {
    loop_.ready(*this);  // To tell that it is open, or that nobody listens.
  }
}

bool end::send(wire::buffer& frame) {
  assert(open_ && !gone() && !frame.empty());
  refused_ = !out_->put(frame);
  return !refused_;
}

std::size_t end::unsent_bytes() const noexcept {
  return out_ == nullptr ? 0 : out_->unread();
}

void end::close(bool flush) {
  // Whoever calls us from a callback still stands in `on_ready`, which holds us until it returns.
  const auto self = shared_from_this();
  if (const auto owner = owner_.lock()) {
    owner->remove(*this);
  }
  leave(flush);
}

void end::leave(bool flush) {
  if (gone()) {
    return;
  }
  here_ = false;
  if (connection_) {
    in_->close_reader();
    out_->close_writer(flush);
  }
  loop_.forget(*this);
  arrived_.clear();
}

void end::lose(const error& why) {
  if (const auto owner = owner_.lock()) {
    owner->remove(*this);
  }
  leave(false);
  if (observer_ != nullptr) {
    observer_->on_closed(*this, why);
  }
}

void end::on_ready() noexcept {
  if (gone()) {
    return;
  }
  const auto self = shared_from_this();
  if (!open() || !deliver()) {
    return;
  }
  if (refused_ && out_->unread() < most_unread / 2) {
    refused_ = false;
    observer_->on_writable(*this);
  }
}

bool end::open() {
  if (open_) {
    return true;
  }
  if (!connection_) {
    lose(error(errc::unreachable, peer_ + ": nobody listens"));
    return false;
  }
  open_ = true;
  observer_->on_open(*this);
  return !gone();
}

bool end::deliver() {
  // Read before taking: what the writer put before it closed is then among the frames.
  const bool closed = in_->take(arrived_);
  if (observer_ == nullptr && !arrived_.empty()) {
    observer_ = acceptor_->on_accept(*this);
    if (!gone() && observer_ == nullptr) {
      close(false);
    }
    if (gone()) {
      return false;
    }
  }
  std::size_t frames = 0;
  std::size_t bytes = 0;
  while (!arrived_.empty() && frames < frames_per_pass && bytes < bytes_per_pass) {
    wire::frame next = std::move(arrived_.front());
    arrived_.pop_front();
    if (next.size() > max_frame_) {
      lose(error(errc::lost, peer_ + ": sent a frame over the limit"));
      return false;
    }
    ++frames;
    bytes += next.size();
    observer_->on_frame(*this, std::move(next));
    if (gone()) {
      return false;
    }
  }
  if (bytes != 0) {
    in_->taken(bytes);
  }
  if (!arrived_.empty()) {
    loop_.ready(*this);
  } else if (closed) {
    lose(error(errc::lost, peer_ + ": closed by the peer"));
    return false;
  }
  return true;
}

}  // namespace mailroom::transports::local
