#include <mailroom/services/host/service.hpp>
#include <mailroom/services/host/service_settings.hpp>
#include <mailroom/services/host/standard_streams.hpp>

#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/observability/log.hpp>

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace mailroom {
namespace {

constexpr int ok = 0;
constexpr int failed = 1;
constexpr int wrong_usage = 2;
constexpr duration for_last_words = std::chrono::seconds(1);

int usage_error(std::string_view program, const std::string& what) {
  std::fprintf(
      stderr, "%.*s: %s\n", static_cast<int>(program.size()), program.data(), what.c_str());
  return wrong_usage;
}

struct command_line {
  config_sources sources;
  bool help = false;
  bool print_config = false;
};

/// Splits `--name value` and `--name=value`; what the names mean is the schema's business.
result<command_line> split(int argc, char** argv, const config_schema& schema) {
  command_line line;
  const auto find = [&](const std::string& name) -> const option* {
    const auto& all = schema.options();
    const auto at = std::find_if(all.begin(), all.end(), [&](const auto& each) {
      return flag_name(each.key) == "--" + name || flag_name(each.key) == name;
    });
    return at == all.end() ? nullptr : &*at;
  };
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--help" || word == "-h") {
      line.help = true;
      continue;
    }
    if (word == "--print-config") {
      line.print_config = true;
      continue;
    }
    if (word.size() < 3 || word.compare(0, 2, "--") != 0) {
      return error(errc::invalid_value,
                   "'" + word + "' is not a flag; flags begin with --, see --help");
    }
    const auto equals = word.find('=');
    std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    std::string value;
    if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (const option* known = find(name);
               known != nullptr && known->type == option_type::boolean) {
      value = "true";
    } else if (i + 1 < argc) {
      value = argv[++i];
    } else if (known == nullptr && name != "config") {
      line.sources.flags.emplace_back(std::move(name), "");  // `config::load` says what is near.
      continue;
    } else {
      return error(errc::invalid_value, "--" + name + " needs a value");
    }
    if (name == "config" && value.empty()) {
      return error(errc::invalid_value, "--config needs the name of a file, not ''");
    }
    if (name == "config") {
      line.sources.file = std::move(value);
    } else {
      line.sources.flags.emplace_back(std::move(name), std::move(value));
    }
  }
  line.sources.environment = process_environment();
  return line;
}

}  // namespace

int run_service(int argc,
                char** argv,
                const std::function<void(node&)>& set_up,
                const service_options& options) {
  open_standard_streams();
  const std::string_view path = argc > 0 ? argv[0] : "service";
  const std::string_view program = path.substr(path.rfind('/') + 1);
  auto schema = node_schema(options.settings);
  auto line = split(argc, argv, schema);
  if (!line) {
    return usage_error(program, std::string(line.error().message()));
  }
  if (line->help) {
    std::printf(
        "%.*s%s%.*s\n\nUsage: %.*s [--config FILE] [--print-config] [--FLAG VALUE]...\n"
        "Example: %.*s %.*s\n\n%s",
        static_cast<int>(program.size()),
        program.data(),
        options.description.empty() ? "" : ": ",
        static_cast<int>(options.description.size()),
        options.description.data(),
        static_cast<int>(program.size()),
        program.data(),
        static_cast<int>(program.size()),
        program.data(),
        static_cast<int>(options.example.size()),
        options.example.data(),
        schema.usage().c_str());
    return unless_unseen(program, ok);
  }
  const auto settings = config::load(std::move(schema), line->sources);
  if (!settings) {
    return usage_error(program, std::string(settings.error().message()));
  }
  if (line->print_config) {
    std::fputs(settings->print().c_str(), stdout);
    if (const auto with = node_options_from(*settings); !with) {
      return usage_error(program, std::string(with.error().message()));  // As at a start.
    }
    return unless_unseen(program, ok);
  }
  log::set_level(log::level_from(settings->text("log.level")).value_or(log::level::info));

  // Every thread that comes later inherits the mask; signals are taken by this one alone.
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGTERM);
  sigaddset(&awaited, SIGINT);
  sigaddset(&awaited, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &awaited, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  try {
    if (options.configured) {
      options.configured(*settings);
    }
    auto with = node_options_from(*settings);
    if (!with) {
      return usage_error(program, std::string(with.error().message()));
    }
    if (options.is_directory && settings->origin("node.directory").starts_with("environment")) {
      with->directory.clear();
    }
    with->asked_to_drain = [] { ::kill(::getpid(), SIGTERM); };
    node serving(*std::move(with));
    set_up(serving);
    if (const auto started = serving.start(); !started) {
      std::fprintf(stderr,
                   "%.*s: %s\n",
                   static_cast<int>(program.size()),
                   program.data(),
                   started.error().to_string().c_str());
      return started.error() == errc::invalid_value ? wrong_usage : failed;
    }
    std::printf("ready %s\n", serving.address().c_str());
    if (const int told = unless_unseen(program, ok); told != ok) {
      serving.stop();  // Nobody will find it.
      return told;
    }
    if (options.started) {
      options.started(serving);
    }
    for (int signal = 0; signal != SIGTERM && signal != SIGINT;) {
      if (sigwait(&awaited, &signal) == 0 && signal == SIGHUP) {
        log::info(
            "reload",
            {{"outcome", "nothing in the configuration can be changed while running; restart"}});
      }
    }
    if (options.stopping) {
      options.stopping(serving);
    }
    const bool drained = serving.stop(settings->time("node.drain"));
    log::info("stopped", {{"node", serving.name()}, {"drained", drained}});
    log::tell_suppressed();
    if (serving.is_hung()) {
      std::fflush(stdout);
      log::flush(for_last_words);
      std::_Exit(failed);
    }
    return drained ? ok : failed;
  } catch (const call_error& thrown) {
    std::fprintf(
        stderr, "%.*s: %s\n", static_cast<int>(program.size()), program.data(), thrown.what());
    return thrown.why() == errc::invalid_value ? wrong_usage : failed;
  } catch (const std::exception& thrown) {
    std::fprintf(
        stderr, "%.*s: %s\n", static_cast<int>(program.size()), program.data(), thrown.what());
    return failed;
  }
}

}  // namespace mailroom
