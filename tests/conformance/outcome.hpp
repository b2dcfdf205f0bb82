#pragma once

#include <mailroom/framework/base/result.hpp>

#include <string>

namespace mailroom::tests {

/// "ok", or the code's name.
template <class T>
std::string code_of(const result<T>& what) {
  return std::string(to_string(what ? errc::ok : what.error().code()));
}

/// The failure in words, or nothing. For messages of checks, which are made also when the check
/// holds.
template <class T>
std::string why(const result<T>& what) {
  return what ? std::string() : what.error().to_string();
}

}  // namespace mailroom::tests
