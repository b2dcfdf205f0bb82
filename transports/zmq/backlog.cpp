#include <mailroom/transports/zmq/backlog.hpp>
#include <mailroom/transports/zmq/context.hpp>

#include <new>

namespace mailroom::transports::zmq {

void backlog::let_go() noexcept {
  {
    const std::lock_guard held(mutex_);
    who_ = nullptr;
  }
  drop_reference();
}

bool backlog::has_room() noexcept {
  if (unsent() < most_unsent) {
    return true;
  }
  // The I/O thread subtracts first and looks at `refused_` then; we set it first and look at the
  // sum then.
  refused_.store(true);
  if (unsent() >= most_unsent / 2) {
    return false;
  }
  refused_.store(false);
  return true;
}

void backlog::wrap(wire::buffer& written, zmq_msg_t& message) {
  const std::size_t size = written.size();
  const std::size_t offset = tail_offset(size);
  const bool inside = written.capacity() >= offset + sizeof(tail);
  void* const where = inside ? static_cast<void*>(written.data() + offset) : new tail{};
  auto* const behind = new (where) tail{this, size};
  if (zmq_msg_init_data(&message, written.data(), size, &give_back, behind) != 0) {
    if (!inside) {
      delete behind;
    }
    throw std::bad_alloc();
  }
  written.release();
  state_.fetch_add(one_reference + size);
}

void backlog::give_back(void* data, void* hint) noexcept {
  auto* const bytes = static_cast<std::byte*>(data);
  auto* const behind = static_cast<tail*>(hint);
  const tail copy = *behind;
  if (hint != bytes + tail_offset(copy.size)) {
    delete behind;
  }
  wire::buffer::free_memory(bytes);
  copy.owner->sent(copy.size);
}

void backlog::sent(std::size_t bytes) noexcept {
  const std::uint64_t left = (state_.fetch_sub(bytes) - bytes) & bytes_mask;
  if (left < most_unsent / 2 && refused_.load() && refused_.exchange(false)) {
    const std::lock_guard held(mutex_);
    if (who_ != nullptr) {
      loop_->notify(*who_);
    }
  }
  drop_reference();
}

void backlog::drop_reference() noexcept {
  if (state_.fetch_sub(one_reference) < 2 * one_reference) {
    delete this;
  }
}

}  // namespace mailroom::transports::zmq
