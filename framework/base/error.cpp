#include <mailroom/framework/base/error.hpp>

namespace mailroom {
namespace {

// What a code by itself says about execution. A peer that knows better sends its own.
execution usual_execution(errc code) noexcept {
  switch (code) {
    case errc::handler_failed:
    case errc::abandoned:
    case errc::bad_reply: return execution::ran_and_failed;
    case errc::lost:
    case errc::expired:
    case errc::cancelled:
    case errc::internal: return execution::may_have_run;
    default: return execution::not_run;
  }
}

}  // namespace

std::string_view to_string(errc code) noexcept {
  switch (code) {
    case errc::ok: return "ok";
    case errc::cancelled: return "cancelled";
    case errc::expired: return "expired";
    case errc::busy: return "busy";
    case errc::no_server: return "no_server";
    case errc::no_such_method: return "no_such_method";
    case errc::unsupported_version: return "unsupported_version";
    case errc::no_such_namespace: return "no_such_namespace";
    case errc::invalid_arguments: return "invalid_arguments";
    case errc::handler_failed: return "handler_failed";
    case errc::abandoned: return "abandoned";
    case errc::lost: return "lost";
    case errc::would_block: return "would_block";
    case errc::deadlock: return "deadlock";
    case errc::denied: return "denied";
    case errc::too_large: return "too_large";
    case errc::stopping: return "stopping";
    case errc::protocol_error: return "protocol_error";
    case errc::unreachable: return "unreachable";
    case errc::invalid_target: return "invalid_target";
    case errc::invalid_value: return "invalid_value";
    case errc::bad_reply: return "bad_reply";
    case errc::internal: return "internal";
    case errc::version_cap: return "version_cap";
    case errc::io: return "io";
  }
  return {};
}

std::string_view to_string(execution value) noexcept {
  switch (value) {
    case execution::not_run: return "not run";
    case execution::may_have_run: return "may have run";
    case execution::ran_and_failed: return "ran and failed";
  }
  return "unknown";
}

error::error(errc code, std::string_view message) : error(code, usual_execution(code), message) {}

error::error(errc code, enum execution ran, std::string_view message, std::string_view type)
    : code_(code), execution_(ran) {
  if (!message.empty() || !type.empty()) {
    text_ = std::make_shared<const text>(text{std::string(message), std::string(type)});
  }
}

std::string_view error::message() const noexcept {
  return text_ ? std::string_view(text_->message) : std::string_view{};
}

std::string_view error::type() const noexcept {
  return text_ ? std::string_view(text_->type) : std::string_view{};
}

error error::with_retry_after(std::chrono::milliseconds pause) const {
  error copy = *this;
  copy.retry_after_ = pause;
  return copy;
}

std::string error::to_string() const {
  const auto name = mailroom::to_string(code_);
  std::string line = name.empty() ? "errc(" + std::to_string(static_cast<unsigned>(code_)) + ")"
                                  : std::string(name);
  if (!type().empty()) {
    line.append(": ").append(type());
  }
  if (!message().empty()) {
    line.append(": ").append(message());
  }
  return line;
}

}  // namespace mailroom
