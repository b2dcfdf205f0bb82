#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

namespace mailroom {

/// Memory for objects of one size that come and go by the thousand: what a thread has given back it
/// takes again. The C library's own cache keeps seven pieces of a size, less than one batch of
/// calls; beyond it, to allocate and to free was a seventh of the instructions of a call. A block
/// may be given back by another thread than took it. @threadsafe
template <std::size_t Size>
class block_cache {
 public:
  /// Throws std::bad_alloc.
  static void* take() {
    block* first = here.first;
    if (first == nullptr) {
      return ::operator new(Size);
    }
    here.first = first->next;
    ++here.room;
    return first;
  }

  static void give_back(void* memory) noexcept {
    if (here.room == 0 && !make_room()) {
      ::operator delete(memory);
      return;
    }
    --here.room;
    here.first = ::new (memory) block{here.first};
  }

 private:
  struct block {
    block* next;
  };
  static_assert(Size >= sizeof(block));

  /// Nothing to construct or destroy, so that it can be used until the thread's very end.
  struct kept {
    block* first = nullptr;
    std::uint32_t room = 0;  ///< For so many more.
    bool begun = false;
  };
  static thread_local constinit kept here;

// A sanitizer must see every object come and go.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  static constexpr std::uint32_t most = 0;
#else
  static constexpr std::uint32_t most = (std::uint32_t{256} << 10U) / Size;
#endif

  struct at_exit {
    ~at_exit() {
      here.room = 0;
      while (here.first != nullptr) {
        block* const first = here.first;
        here.first = first->next;
        ::operator delete(first);
      }
    }
  };

  static bool make_room() noexcept {
    if (here.begun) {
      return false;
    }
    static thread_local const at_exit cleaner;
    here.begun = true;
    here.room = most;
    return most > 0;
  }
};

template <std::size_t Size>
thread_local constinit typename block_cache<Size>::kept block_cache<Size>::here;

}  // namespace mailroom
