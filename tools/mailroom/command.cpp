#include <mailroom/services/host/standard_streams.hpp>
#include <mailroom/tools/mailroom/command.hpp>

#include <mailroom/framework/base/text.hpp>

#include <algorithm>
#include <iostream>
#include <vector>

namespace mailroom::cli {
namespace {

constexpr int failure = 1;
constexpr int usage = 2;

/// "bench call" for the innermost verb that was recognised; `innermost` receives it.
std::string verb_of(const CLI::App& app, const CLI::App*& innermost) {
  std::string words;
  innermost = &app;
  while (!innermost->get_subcommands().empty()) {
    innermost = innermost->get_subcommands().front();
    words += (words.empty() ? "" : " ") + innermost->get_name();
  }
  return words;
}

std::string with_nearest(const std::string& sentence,
                         const std::string& wrong,
                         const std::vector<std::string>& right) {
  const std::string meant = nearest(wrong, right);
  return meant.empty() ? sentence + " (see --help)" : sentence + ", nearest is " + meant;
}

std::string unknown_flag(const CLI::App& verb, const std::string& argument) {
  const std::string flag = argument.substr(0, argument.find('='));
  std::vector<std::string> known;
  for (const CLI::Option* each : verb.get_options()) {
    for (const auto& name : each->get_lnames()) {
      known.push_back("--" + name);
    }
  }
  return with_nearest("unknown flag " + flag, flag, known);
}

std::string unknown_verb(const CLI::App& parent, const std::string& word) {
  std::vector<std::string> known;
  for (const CLI::App* each : parent.get_subcommands([](const CLI::App*) { return true; })) {
    known.push_back(each->get_name());
  }
  return with_nearest("unknown command '" + word + "'", word, known);
}

/// The sentence for a command line that CLI11 refused with `why`. A misspelt flag often shows as a
/// missing one: say the cause, not the consequence.
std::string explain(const CLI::App& innermost, const CLI::ParseError& why) {
  const auto unexpected = innermost.remaining();
  const auto flag = std::find_if(unexpected.begin(), unexpected.end(), [](const auto& argument) {
    return argument.size() > 1 && argument.front() == '-';
  });
  if (flag != unexpected.end()) {
    return unknown_flag(innermost, *flag);
  }
  if (!unexpected.empty()) {
    return innermost.get_subcommands([](const CLI::App*) { return true; }).empty()
               ? "unexpected argument '" + unexpected.front() + "'"
               : unknown_verb(innermost, unexpected.front());
  }
  return why.what();
}

}  // namespace

int run(CLI::App& app, const job& chosen, int argc, char** argv) {
  const CLI::App* innermost = &app;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& why) {
    if (why.get_exit_code() == 0) {
      return unless_unseen("mailroom", app.exit(why));  // --help, --version
    }
    const std::string verb = verb_of(app, innermost);
    return misused(verb, explain(*innermost, why));
  }
  const std::string verb = verb_of(app, innermost);
  try {
    return unless_unseen("mailroom " + verb, chosen());
  } catch (const std::exception& why) {
    return failed(verb, why.what());
  }
}

void complain(const std::string& verb, const std::string& what) {
  std::string line = "mailroom" + (verb.empty() ? "" : " " + verb) + ": " + what;
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < ' '; }, ' ');
  std::cerr << line << std::endl;
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
