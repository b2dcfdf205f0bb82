#pragma once

#include <iostream>
#include <string_view>

namespace mailroom::bench {

/// Tells on stdout where a server listens. False if that could not be written: then nobody will
/// come, and `cli::run` says why.
inline bool tell_ready(std::string_view address, bool as_json) {
  if (as_json) {
    std::cout << R"({"ready":")" << address << "\"}" << std::endl;
  } else {
    std::cout << "ready " << address << std::endl;
  }
  return std::cout.good();
}

}  // namespace mailroom::bench
