#include <mailroom/services/host/stack_line.hpp>

#include <algorithm>
#include <array>
#include <string_view>

namespace mailroom {
namespace {

constexpr std::string_view separator = " < ";
constexpr std::string_view left_out = "...";

// Where no handler is.
bool is_plumbing(std::string_view function) {
  constexpr std::array namespaces{"mailroom::rpc::",
                                  "mailroom::async::",
                                  "mailroom::executors::",
                                  "mailroom::actors::",
                                  "caf::",
                                  "std::",
                                  "boost::context::",
                                  "libboost_context",
                                  "make_fcontext",
                                  "libc.so",
                                  "libc-",
                                  "libstdc++",
                                  "__tsan",
                                  "__asan",
                                  "libtsan",
                                  "libasan",
                                  "clone",
                                  "start_thread",
                                  "execute_native_thread_routine"};
  return std::any_of(namespaces.begin(), namespaces.end(), [&](std::string_view each) {
    return function.starts_with(each);
  });
}

}  // namespace

std::string stack_line(std::span<const std::string> functions, std::size_t at_most) {
  std::size_t count = functions.size();
  while (count != 0 && is_plumbing(functions[count - 1])) {
    --count;
  }
  if (count == 0) {
    count = functions.size();
  }
  std::string whole;
  for (std::size_t i = 0; i != count; ++i) {
    whole.append(i == 0 ? "" : separator).append(functions[i]);
  }
  if (whole.size() <= at_most) {
    return whole;
  }
  // The handler's own function stays, and as many of the innermost as there is room for.
  const std::string& handler = functions[count - 1];
  std::string line;
  for (std::size_t i = 0; i + 1 < count; ++i) {
    if (line.size() + functions[i].size() + left_out.size() + handler.size() +
            2 * separator.size() >
        at_most) {
      break;
    }
    line.append(functions[i]).append(separator);
  }
  line.append(left_out).append(separator).append(handler);
  return line.substr(0, at_most);
}

}  // namespace mailroom
