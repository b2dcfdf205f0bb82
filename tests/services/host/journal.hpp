#pragma once

#include <mailroom/tests/support/process.hpp>

#include <boost/test/unit_test.hpp>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace mailroom::tests {

/// A journal service in a process of its own, and what it has written down.
class journal_service {
 public:
  explicit journal_service(const std::vector<std::string>& flags) {
    folder_ = (std::filesystem::temp_directory_path() / "mailroom-journal-XXXXXX").string();
    BOOST_TEST_REQUIRE(::mkdtemp(folder_.data()) != nullptr);
    ::setenv("JOURNAL", (folder_ + "/journal").c_str(), 1);
    std::vector<std::string> command{MAILROOM_JOURNAL_SERVICE};
    command.insert(command.end(), flags.begin(), flags.end());
    process_.emplace(command);
    address_ = process_->read_after("ready ");
  }
  ~journal_service() {
    process_.reset();
    std::filesystem::remove_all(folder_);
  }
  journal_service(const journal_service&) = delete;
  journal_service& operator=(const journal_service&) = delete;

  const std::string& address() const noexcept { return address_; }
  tests::process& process() noexcept { return *process_; }

  std::vector<std::string> lines() const {
    std::ifstream file(folder_ + "/journal");
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) {
      all.push_back(line);
    }
    return all;
  }

 private:
  std::string folder_;
  std::string address_;
  std::optional<tests::process> process_;
};

}  // namespace mailroom::tests
