#pragma once

#include <cxxabi.h>

#include <utility>

namespace mailroom::async {

/// The exceptions in flight of one stack. The C++ runtime keeps them per thread, and two handlers
/// that are both inside a catch block would mix them up: so each brings its own (Itanium C++ ABI,
/// 2.2.2: __cxa_eh_globals).
class exceptions_in_flight {
 public:
  void swap_with_thread() noexcept {
    auto* globals = reinterpret_cast<exceptions_in_flight*>(abi::__cxa_get_globals());
    std::swap(caught_, globals->caught_);
    std::swap(uncaught_, globals->uncaught_);
  }

 private:
  void* caught_ = nullptr;
  unsigned int uncaught_ = 0;
};

/// For a scope, as if no exception were in flight: for code that is begun inside a catch block or a
/// destructor, and goes on outside of it.
class exceptions_apart {
 public:
  exceptions_apart() noexcept { outside_.swap_with_thread(); }
  ~exceptions_apart() { outside_.swap_with_thread(); }
  exceptions_apart(const exceptions_apart&) = delete;
  exceptions_apart& operator=(const exceptions_apart&) = delete;

 private:
  exceptions_in_flight outside_;
};

}  // namespace mailroom::async
