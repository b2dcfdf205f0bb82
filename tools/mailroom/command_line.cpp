#include <mailroom/services/host/standard_streams.hpp>
#include <mailroom/tools/mailroom/command.hpp>
#include <mailroom/tools/mailroom/command_line.hpp>

#include <mailroom/framework/base/text.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <utility>

namespace mailroom::cli {
namespace {

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
  const auto is_flag = [](const std::string& argument) {
    return argument.size() > 1 && argument.front() == '-';
  };
  const bool has_verbs = !innermost.get_subcommands([](const CLI::App*) { return true; }).empty();
  // Of a verb that nobody knows, the flags are not known either.
  if (has_verbs && !unexpected.empty() && !is_flag(unexpected.front())) {
    return unknown_verb(innermost, unexpected.front());
  }
  const auto flag = std::find_if(unexpected.begin(), unexpected.end(), is_flag);
  if (flag != unexpected.end()) {
    return unknown_flag(innermost, *flag);
  }
  return unexpected.empty() ? why.what() : "unexpected argument '" + unexpected.front() + "'";
}

}  // namespace

option option::required() const {
  of_->required();
  return *this;
}

option option::check(const text_reader& judge) const {
  // As CLI11 wants it: what is wrong, or nothing.
  of_->check([judge](const std::string& text) {
    const auto good = judge(text);
    return good ? std::string() : std::string(good.error().message());
  });
  return *this;
}

command command::add_verb(const std::string& name,
                          const std::string& description,
                          const std::string& example) const {
  CLI::App* verb = app_->add_subcommand(name, description);
  verb->footer("Example:\n  " + example);
  return {*verb, *chosen_};
}

command command::add_group(const std::string& name,
                           const std::string& description,
                           const std::string& example) const {
  const command group = add_verb(name, description, example);
  group.app_->require_subcommand(1);
  return group;
}

void command::runs(work what) const {
  app_->callback([chosen = chosen_, what = std::move(what)] { *chosen = what; });
}

option command::add_option(const std::string& name,
                           const std::string& help,
                           const std::string& kind,
                           const std::string& now,
                           const text_reader& read) const {
  CLI::Option* added = app_->add_option_function<std::string>(
      name,
      [name, read](const std::string& text) {
        if (const auto good = read(text); !good) {
          throw CLI::ValidationError(name, std::string(good.error().message()));
        }
      },
      help);
  added->type_name(kind)->default_str(now);
  return option(*added);
}

option command::add_text(const std::string& name,
                         std::string& value,
                         const std::string& help,
                         const std::string& kind) const {
  return add_option(name, help, kind, value, [&value](const std::string& text) {
    value = text;
    return result<void>();
  });
}

option command::add_words(const std::string& name,
                          std::vector<std::string>& value,
                          const std::string& help,
                          const std::string& kind) const {
  return option(*app_->add_option(name, value, help)
                     ->delimiter(',')
                     ->allow_extra_args(false)
                     ->type_name(kind));
}

void command::add_flag(const std::string& name, bool& value, const std::string& help) const {
  app_->add_flag(name, value, help);
}

command_line::command_line(const std::string& description,
                           const std::string& version,
                           const std::string& last_words)
    : app_(std::make_unique<CLI::App>(description, "mailroom")),
      chosen_(std::make_unique<command::work>()) {
  app_->require_subcommand(1);
  app_->set_version_flag("--version", "mailroom " + version, "Print the version and exit");
  app_->footer(last_words);
}

command_line::~command_line() = default;

command command_line::top() const {
  return {*app_, *chosen_};
}

int command_line::run(int argc, char** argv) {
  const CLI::App* innermost = app_.get();
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& why) {
    if (why.get_exit_code() == 0) {
      return unless_unseen("mailroom", app_->exit(why));  // --help, --version
    }
    const std::string verb = verb_of(*app_, innermost);
    return misused(verb, explain(*innermost, why));
  }
  const std::string verb = verb_of(*app_, innermost);
  try {
    return unless_unseen("mailroom " + verb, (*chosen_)());
  } catch (const std::exception& why) {
    return failed(verb, why.what());
  }
}

}  // namespace mailroom::cli
