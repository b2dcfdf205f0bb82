#include <mailroom/framework/async/io.hpp>
#include <mailroom/framework/base/result.hpp>

#include <string>

namespace mailroom {
namespace {

[[noreturn]] void cannot_watch(int descriptor, const std::error_code& why) {
  throw call_error(error(
      errc::io,
      "descriptor " + std::to_string(descriptor) + " cannot be watched: " + why.message() +
          (why == std::errc::operation_not_permitted ? " (a file or folder, always ready)" : "")));
}

}  // namespace

bool io_operation::awaiter::await_ready() {
  const async::flow* here = async::current_flow();
  if (here == nullptr) {
    throw call_error(
        error(errc::would_block, "ctx.io outside of any handler, where nothing can be continued"));
  }
  if (here->cancelled) {
    throw async::flow_cancelled{};
  }
  if (const auto failed = by_.watch(*this, descriptor_, for_)) {
    cannot_watch(descriptor_, failed);
  }
  watches_ = true;
  return false;
}

void io_operation::awaiter::await_resume() {
  withdraw();  // Before anything unwinds that owns the descriptor.
  until_.await_resume();
  if (failure_) {
    cannot_watch(descriptor_, failure_);
  }
}

// Also after it was told: whoever tells it has let go of it then.
void io_operation::awaiter::withdraw() noexcept {
  if (watches_) {
    watches_ = false;
    by_.unwatch(*this);
  }
}

}  // namespace mailroom
