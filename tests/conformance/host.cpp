#include <mailroom/tests/conformance/host.hpp>

namespace mailroom::tests {

std::string probe_host::obey(const std::string& line) {
  const auto space = line.find(' ');
  const std::string verb = line.substr(0, space);
  const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
  if (verb == "start") {
    const auto started = node_.start();
    return started ? node_.address() : started.error().to_string();
  }
  if (verb == "stop") {
    return node_.stop(std::chrono::milliseconds(std::stol(rest))) ? "1" : "0";
  }
  if (verb == "count") {
    return std::to_string(counts_->counted(rest));
  }
  if (verb == "idle") {
    serve_idle(node_, std::stoul(rest));
    return "served";
  }
  return "what is '" + line + "'?";
}

}  // namespace mailroom::tests
