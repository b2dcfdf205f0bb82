#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace mailroom {

template <class T>
class ref;

/// Base of objects that several owners share, with the count inside so that a handle is one pointer
/// and a raw pointer can become a handle again. Starts with one reference, which `ref<T>::adopt`
/// takes over. A class that must not be deleted just anywhere has a `dispose` of its own.
template <class Derived>
class ref_counted {
 public:
  ref_counted() noexcept = default;
  ref_counted(const ref_counted&) = delete;
  ref_counted& operator=(const ref_counted&) = delete;

 protected:
  ~ref_counted() = default;

 private:
  friend class ref<Derived>;
  static void dispose(Derived* last) noexcept { delete last; }
  std::atomic<std::uint32_t> references_{1};
};

/// Shared ownership of a `ref_counted`. Copies may live on different threads; one copy is used by
/// one at a time.
template <class T>
class ref {
 public:
  ref() noexcept = default;
  /// One owner more.
  explicit ref(T* shared) noexcept : object_(shared) { add(); }
  /// Takes over the reference that `created` was born with.
  static ref adopt(T* created) noexcept {
    ref owned;
    owned.object_ = created;
    return owned;
  }
  ref(const ref& other) noexcept : object_(other.object_) { add(); }
  ref(ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  ref& operator=(ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~ref() {
    if (object_ != nullptr) {
      drop();
    }
  }

  T* get() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  T* operator->() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

  /// Gives the reference away without dropping it.
  T* release() noexcept { return std::exchange(object_, nullptr); }

 private:
  void add() noexcept {
    if (object_ != nullptr) {
      object_->references_.fetch_add(1, std::memory_order_relaxed);
    }
  }

  // Apart, so that a handle to nothing, as most are that are passed on, costs a comparison.
  void drop() noexcept {
    // Who is the only owner need not count down.
    if (object_->references_.load(std::memory_order_acquire) == 1 ||
        object_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      T::dispose(object_);
    }
  }

  T* object_ = nullptr;
};

template <class T, class... Args>
ref<T> make_ref(Args&&... args) {
  return ref<T>::adopt(new T(std::forward<Args>(args)...));
}

}  // namespace mailroom
