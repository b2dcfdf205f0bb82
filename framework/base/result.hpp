#pragma once

#include <mailroom/framework/base/error.hpp>

#include <cassert>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

namespace mailroom {

/// Thrown by `result<T>::value()` when there is none, and usable by handlers that want to end a
/// call with a code of their own. The endpoint answers with the error inside.
class call_error : public std::runtime_error {
 public:
  explicit call_error(error why) : std::runtime_error(why.to_string()), why_(std::move(why)) {}

  const error& why() const noexcept { return why_; }

 private:
  error why_;
};

/// Either a value or an `error`: what a correct program may meet. Used by one thread at a time.
template <class T>
class [[nodiscard]] result {
 public:
  using value_type = T;

  // A value or an error is a result already; `requires` keeps the last one from hiding a copy.
  // NOLINTBEGIN(google-explicit-constructor,bugprone-forwarding-reference-overload)
  result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  result(mailroom::error why) : state_(std::in_place_index<1>, std::move(why)) {}
  template <class U>
    requires(!std::is_same_v<std::remove_cvref_t<U>, T> &&
             !std::is_same_v<std::remove_cvref_t<U>, mailroom::error> &&
             !std::is_same_v<std::remove_cvref_t<U>, result> && std::is_convertible_v<U&&, T>)
  result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}
  // NOLINTEND(google-explicit-constructor,bugprone-forwarding-reference-overload)

  explicit operator bool() const noexcept { return state_.index() == 0; }
  bool has_value() const noexcept { return state_.index() == 0; }

  /// The value. Precondition: there is one.
  T& operator*() & noexcept { return *std::get_if<0>(&state_); }
  const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }
  T&& operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() noexcept { return std::get_if<0>(&state_); }
  const T* operator->() const noexcept { return std::get_if<0>(&state_); }

  /// The value, or `call_error` thrown with the failure inside.
  T& value() & {
    require();
    return **this;
  }
  const T& value() const& {
    require();
    return **this;
  }
  T&& value() && {
    require();
    return *std::move(*this);
  }

  T value_or(T fallback) && { return has_value() ? *std::move(*this) : std::move(fallback); }

  /// The failure. Precondition: there is one.
  const mailroom::error& error() const noexcept {
    assert(!has_value());
    return *std::get_if<1>(&state_);
  }

 private:
  void require() const {
    if (!has_value()) {
      throw call_error(error());
    }
  }

  std::variant<T, mailroom::error> state_;
};

/// Success without a value, or an `error`.
template <>
class [[nodiscard]] result<void> {
 public:
  using value_type = void;

  result() noexcept = default;
  // NOLINTNEXTLINE(google-explicit-constructor): an error is a result already.
  result(mailroom::error why) : why_(std::move(why)) {}

  explicit operator bool() const noexcept { return !why_; }
  bool has_value() const noexcept { return !why_; }

  void value() const {
    if (why_) {
      throw call_error(*why_);
    }
  }

  const mailroom::error& error() const noexcept {
    assert(why_);
    return *why_;
  }

 private:
  std::optional<mailroom::error> why_;
};

template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<result<T>> = true;

}  // namespace mailroom
