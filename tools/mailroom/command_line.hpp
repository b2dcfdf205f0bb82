#pragma once

#include <mailroom/framework/base/result.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

// CLI11 is all headers, and a file that includes it compiles the whole of it. Only
// command_line.cpp does.
namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace mailroom::cli {

/// Makes a value of the text of an option, or judges it. The message of an error is the complaint.
using text_reader = std::function<result<void>(const std::string& text)>;

/// An option, to be qualified: a handle, as long as its command line lives.
class option {
 public:
  explicit option(CLI::Option& of) noexcept : of_(&of) {}

  option required() const;
  /// `judge` is asked before the text is read.
  option check(const text_reader& judge) const;

 private:
  CLI::Option* of_;
};

/// A command while it is put together: a handle, as long as its command line lives. Values that
/// options are read into live until the command line has run.
class command {
 public:
  /// The work of a command, once its options are read; its exit code.
  using work = std::function<int()>;

  command(CLI::App& app, work& chosen) noexcept : app_(&app), chosen_(&chosen) {}

  /// A command below this one, with a line that says what it does and an example at the end of its
  /// help.
  command add_verb(const std::string& name,
                   const std::string& description,
                   const std::string& example) const;
  /// One that does nothing without a command below it.
  command add_group(const std::string& name,
                    const std::string& description,
                    const std::string& example) const;

  /// What the command does.
  void runs(work what) const;

  /// An option, or a positional one if its name has no dashes. The help says `kind` of what it is,
  /// and what it is `now` unless that is empty.
  option add_option(const std::string& name,
                    const std::string& help,
                    const std::string& kind,
                    const std::string& now,
                    const text_reader& read) const;
  option add_text(const std::string& name,
                  std::string& value,
                  const std::string& help,
                  const std::string& kind) const;
  /// Several words: with commas between them, or the option again. What follows is no word of it,
  /// so that a positional one may.
  option add_words(const std::string& name,
                   std::vector<std::string>& value,
                   const std::string& help,
                   const std::string& kind) const;
  void add_flag(const std::string& name, bool& value, const std::string& help) const;

 private:
  CLI::App* app_;
  work* chosen_;
};

/// The command line of `mailroom`: what can be said, and doing what was said.
class command_line {
 public:
  command_line(const std::string& description,
               const std::string& version,
               const std::string& last_words);
  command_line(const command_line&) = delete;
  command_line& operator=(const command_line&) = delete;
  ~command_line();

  /// The command above all others, which does nothing by itself.
  command top() const;

  /// Parses the arguments and runs the command that they choose. The exit code.
  int run(int argc, char** argv);

 private:
  const std::unique_ptr<CLI::App> app_;
  const std::unique_ptr<command::work> chosen_;
};

}  // namespace mailroom::cli
