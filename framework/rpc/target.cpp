#include <mailroom/framework/rpc/target.hpp>
#include <mailroom/framework/wire/envelope.hpp>

#include <charconv>
#include <optional>
#include <string>

namespace mailroom::rpc {
namespace {

struct parsed {
  unsigned major = 1;
  unsigned minor = 0;
};

std::optional<parsed> parse(std::string_view text) noexcept {
  parsed version;
  if (text.empty()) {
    return version;
  }
  const char* end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, version.major);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') {
    return std::nullopt;
  }
  const auto minor = std::from_chars(major.ptr + 1, end, version.minor);
  if (minor.ec != std::errc() || minor.ptr != end) {
    return std::nullopt;
  }
  return version;
}

}  // namespace

bool version_is_compatible(std::string_view implemented, std::string_view requested) noexcept {
  const auto ours = parse(implemented);
  const auto theirs = parse(requested);
  return ours && theirs && ours->major == theirs->major && theirs->minor <= ours->minor;
}

result<void> check_version(std::string_view version) {
  if (!parse(version)) {
    return error(errc::invalid_value,
                 "'" + std::string(version) + "' is not a version; write major.minor, as in 1.4");
  }
  return {};
}

result<void> check_target(const target& at) {
  if (at.topic.empty()) {
    return error(errc::invalid_target, "the target has no topic");
  }
  if (auto good = check_version(at.version); !good) {
    return error(errc::invalid_target, good.error().message());
  }
  for (const auto* name : {&at.exchange, &at.topic, &at.name_space, &at.version}) {
    if (name->size() > wire::max_text) {
      return error(errc::invalid_target,
                   "a name of the target has " + std::to_string(name->size()) +
                       " bytes, over the limit of " + std::to_string(wire::max_text));
    }
  }
  return {};
}

}  // namespace mailroom::rpc
