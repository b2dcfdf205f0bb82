#pragma once

#include <mailroom/framework/base/result.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace mailroom::tests {

/// What `misuse` throws: the code and the words.
inline std::string refusal(const std::function<void()>& misuse) {
  try {
    misuse();
  } catch (const call_error& refused) {
    return refused.why().to_string();
  } catch (const std::logic_error& refused) {
    return refused.what();
  }
  return "nothing was thrown";
}

/// Whether `words` has them all.
inline bool names(const std::string& words, const std::vector<std::string>& all) {
  for (const auto& each : all) {
    if (words.find(each) == std::string::npos) {
      BOOST_TEST_MESSAGE("'" << words << "' does not say '" << each << "'");
      return false;
    }
  }
  return true;
}

}  // namespace mailroom::tests
