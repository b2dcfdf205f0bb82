#include <mailroom/framework/async/exceptions.hpp>
#include <mailroom/framework/async/fiber.hpp>

#include <boost/context/fiber.hpp>
#include <boost/context/stack_context.hpp>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define MAILROOM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MAILROOM_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define MAILROOM_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MAILROOM_TSAN 1
#endif
#endif

#ifdef MAILROOM_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef MAILROOM_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace mailroom::async {
namespace {

std::atomic<std::size_t> stack_size{std::size_t{64} << 10U};

// Free stacks of this thread. Fibers do not change thread, so no lock; what a burst left is freed
// with the thread, or at once above the bound.
class stack_pool {
 public:
  static constexpr std::size_t kept = 1024;

  ~stack_pool() {
    for (const auto& each : free_) {
      std::free(each.base);
    }
  }

  boost::context::stack_context take() {
    const std::size_t size = stack_size.load(std::memory_order_relaxed);
    void* base = nullptr;
    if (!free_.empty() && free_.back().size == size) {
      base = free_.back().base;
      free_.pop_back();
    } else {
      base = std::malloc(size);
      if (base == nullptr) {
        throw std::bad_alloc();
      }
    }
    boost::context::stack_context stack;
    stack.size = size;
    stack.sp = static_cast<std::byte*>(base) + size;
    return stack;
  }

  void give_back(const boost::context::stack_context& stack) noexcept {
    void* base = static_cast<std::byte*>(stack.sp) - stack.size;
    if (free_.size() >= kept) {
      std::free(base);
      return;
    }
    free_.push_back({base, stack.size});
  }

 private:
  struct entry {
    void* base;
    std::size_t size;
  };
  std::vector<entry> free_;
};

stack_pool& pool() {
  thread_local stack_pool mine;
  return mine;
}

struct extent {
  const void* bottom = nullptr;
  std::size_t bytes = 0;
};

// The stack allocator that Boost.Context asks; a copy of it lives on the stack itself.
struct pooled {
  using traits_type = boost::context::stack_traits;
  boost::context::stack_context allocate() const {
    const auto stack = pool().take();
    *where = {static_cast<std::byte*>(stack.sp) - stack.size, stack.size};
    return stack;
  }
  static void deallocate(boost::context::stack_context& stack) noexcept { pool().give_back(stack); }

  extent* where;  // Told where the stack is; valid while allocating.
};

}  // namespace

class fiber::impl {
 public:
  explicit impl(std::function<void()> body)
      : body_(std::move(body)),
        context_(std::allocator_arg, pooled{&stack_}, [this](boost::context::fiber&& resumer) {
          finish_switch();
          context_ = std::move(resumer);
          body_();
          body_ = nullptr;
          done_ = true;
          leave(true);
          return std::move(context_);
        }) {
#ifdef MAILROOM_TSAN
    tsan_fiber_ = __tsan_create_fiber(0);
#endif
  }

  ~impl() {
#ifdef MAILROOM_TSAN
    __tsan_destroy_fiber(tsan_fiber_);
#endif
  }

  void enter() {
    exceptions_.swap_with_thread();
#ifdef MAILROOM_TSAN
    tsan_resumer_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(tsan_fiber_, 0);
#endif
#ifdef MAILROOM_ASAN
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, stack_.bottom, stack_.bytes);
#endif
    context_ = std::move(context_).resume();
#ifdef MAILROOM_ASAN
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
    exceptions_.swap_with_thread();
  }

  void suspend() {
    leave(false);
    context_ = std::move(context_).resume();
    finish_switch();
  }

  bool done() const noexcept {
    return done_;
  }

 private:
  // Before control goes back to the resumer.
  void leave([[maybe_unused]] bool for_good) noexcept {
#ifdef MAILROOM_TSAN
    __tsan_switch_to_fiber(tsan_resumer_, 0);
#endif
#ifdef MAILROOM_ASAN
    __sanitizer_start_switch_fiber(
        for_good ? nullptr : &fake_stack_, resumer_bottom_, resumer_bytes_);
#endif
  }

  // First thing on this fiber after control came here.
  void finish_switch() noexcept {
#ifdef MAILROOM_ASAN
    __sanitizer_finish_switch_fiber(fake_stack_, &resumer_bottom_, &resumer_bytes_);
#endif
  }

  std::function<void()> body_;
  exceptions_in_flight exceptions_;
  extent stack_;
  bool done_ = false;
#ifdef MAILROOM_ASAN
  void* fake_stack_ = nullptr;
  const void* resumer_bottom_ = nullptr;
  std::size_t resumer_bytes_ = 0;
#endif
#ifdef MAILROOM_TSAN
  void* tsan_fiber_ = nullptr;
  void* tsan_resumer_ = nullptr;
#endif
  boost::context::fiber context_;
};

fiber::fiber() = default;
fiber::~fiber() = default;

void fiber::set_stack_size(std::size_t size) noexcept {
  stack_size.store(size, std::memory_order_relaxed);
}

void fiber::start(std::function<void()> body, const std::function<void(fiber&)>& tell) {
  auto* made = new fiber();
  made->impl_ = std::make_unique<impl>(std::move(body));
  tell(*made);
  made->resume();
}

void fiber::park() noexcept {
  impl_->suspend();
}

void fiber::resume() noexcept {
  impl_->enter();
  if (impl_->done()) {
    delete this;
  }
}

}  // namespace mailroom::async
