#include <mailroom/tools/mailroom/command.hpp>

#include <mailroom/framework/base/text.hpp>

#include <algorithm>
#include <iostream>

namespace mailroom::cli {
namespace {

constexpr int failure = 1;
constexpr int usage = 2;

}  // namespace

void complain(const std::string& verb, const std::string& what) {
  std::string line = "mailroom" + (verb.empty() ? "" : " " + verb) + ": " + what;
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::cerr << (is_shown(line) ? line : shown(line)) << std::endl;
}

int failed(const std::string& verb, const error& why) {
  return failed(verb, why.to_string());
}

int failed(const std::string& verb, const std::string& why) {
  complain(verb, why);
  return failure;
}

int not_started(const std::string& verb, const error& why) {
  return why == errc::invalid_value ? misused(verb, std::string(why.message())) : failed(verb, why);
}

int misused(const std::string& verb, const std::string& why) {
  complain(verb, why);
  return usage;
}

}  // namespace mailroom::cli
