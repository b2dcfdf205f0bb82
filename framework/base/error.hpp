#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace mailroom {

/// What went wrong, for the machine. The numbers travel on the wire (framework/wire/PROTOCOL.md)
/// and are never reused; a number that a build does not know is shown as `errc(N)`.
enum class errc : std::uint16_t {
  ok = 0,
  cancelled = 1,       ///< The caller or a stop request gave up.
  expired = 2,         ///< The deadline passed.
  busy = 3,            ///< A bounded queue was full; try again after `error::retry_after()`.
  no_server = 4,       ///< Nobody known serves the target.
  no_such_method = 5,  ///< The endpoint does not offer the method, or access is refused by name.
  unsupported_version = 6,  ///< The endpoint's version does not cover the version asked for.
  no_such_namespace = 7,    ///< No endpoint of the topic answers to the namespace.
  invalid_arguments = 8,    ///< Wrong number or types of arguments.
  handler_failed = 9,       ///< The handler threw; `error::type()` and `message()` tell what.
  abandoned = 10,           ///< The handler dropped the call without answering.
  lost = 11,                ///< The connection went away while the call was out.
  would_block = 12,         ///< A synchronous call inside a handler that cannot wait.
  deadlock = 13,            ///< The call came back to an exclusive endpoint of its own chain.
  denied = 14,              ///< The caller may not do this.
  too_large = 15,           ///< A body over the limit.
  stopping = 16,            ///< The server is draining; the call has not run.
  protocol_error = 17,      ///< The peer does not speak this protocol, or not this version.
  unreachable = 18,         ///< The address does not answer.
  invalid_target = 19,  ///< The target lacks a part that the operation needs, or has one too many.
  invalid_value = 20,   ///< A configuration value or flag that cannot be.
  bad_reply = 21,       ///< The answer cannot be read as the type that was asked for.
  internal = 22,        ///< A defect of ours.
  version_cap = 23,     ///< The client's version cap forbids the call.
  io = 24,              ///< The operating system refused; the message carries its words.
};

/// The code's name as written in logs and shown to people, such as "no_such_method".
/// @threadsafe
std::string_view to_string(errc code) noexcept;

/// Whether the handler of a failed call ran (Seastar, gRPC A6: only `not_run` may be retried
/// blindly).
enum class execution : std::uint8_t {
  not_run = 0,         ///< The call provably never reached a handler.
  may_have_run = 1,    ///< Nobody can tell.
  ran_and_failed = 2,  ///< The handler ran and failed.
};

/// @threadsafe
std::string_view to_string(execution value) noexcept;

/// A failure as a value: a code for the machine, a sentence for the person. Cheap to copy;
/// immutable.
class error {
 public:
  /// `message` says what was wrong, where, and what would be right.
  explicit error(errc code, std::string_view message = {});
  error(errc code, execution ran, std::string_view message, std::string_view type = {});

  errc code() const noexcept { return code_; }

  /// Whether the handler ran. Derived from the code unless the peer said otherwise.
  enum execution execution() const noexcept { return execution_; }

  std::string_view message() const noexcept;

  /// The type of the exception that the handler threw, as its author named it; empty if none.
  std::string_view type() const noexcept;

  /// How long to wait before the next attempt; zero if the peer gave no hint.
  std::chrono::milliseconds retry_after() const noexcept { return retry_after_; }

  error with_retry_after(std::chrono::milliseconds pause) const;

  /// "no_such_method: inventory.prise (nearest: price)": code and sentence in one line.
  std::string to_string() const;

  friend bool operator==(const error& left, errc right) noexcept { return left.code_ == right; }

 private:
  struct text {
    std::string message;
    std::string type;
  };

  std::shared_ptr<const text> text_;
  std::chrono::milliseconds retry_after_{0};
  errc code_;
  enum execution execution_;
};

}  // namespace mailroom
