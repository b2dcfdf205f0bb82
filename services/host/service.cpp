#include <mailroom/services/host/node_impl.hpp>
#include <mailroom/services/host/service.hpp>

#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/observability/log.hpp>

#include <signal.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace mailroom {
namespace {

constexpr int ok = 0;
constexpr int failed = 1;
constexpr int wrong_usage = 2;

config_schema node_schema(const std::vector<option>& more) {
  std::vector<std::string> policies;
  for (const auto each : executors::policies()) {
    policies.emplace_back(each);
  }
  config_schema schema;
  schema
      .add({.key = "node.name",
            .help = "how peers call this node; default: host name and process id"})
      .add({.key = "node.listen",
            .fallback = "tcp://127.0.0.1:0",
            .help = "address to serve at; port 0 lets the system choose"})
      .add({.key = "node.connect",
            .type = option_type::list,
            .help = "addresses of the nodes to call"})
      .add({.key = "node.executor",
            .fallback = "loop-bound",
            .help =
                "when and where handlers run: cooperative, work-stealing, loop-bound, or one of "
                "[executors]"})
      .add({.key = "node.workers",
            .type = option_type::integer,
            .fallback = "0",
            .help = "threads of the work-stealing executor; 0: one per core",
            .minimum = 0,
            .maximum = 1024})
      .add({.key = "node.blocking_threads",
            .type = option_type::integer,
            .fallback = "0",
            .help =
                "threads for blocking handlers, at most; 0: four more than there are cores, 32 at "
                "most",
            .minimum = 0,
            .maximum = 1024})
      .add({.key = "node.place",
            .type = option_type::list,
            .help = "topic=executor: serves that topic on that executor; may be repeated"})
      .add({.key = "placement.*", .help = "the executor of a topic, as --place says it"})
      .add({.key = "executors.*.policy",
            .help = "policy of an executor of that name: cooperative, work-stealing or loop-bound",
            .choices = policies})
      .add({.key = "executors.*.workers",
            .type = option_type::integer,
            .help = "its threads, where the policy has several; 0: one per core",
            .minimum = 0,
            .maximum = 1024})
      .add({.key = "node.heartbeat",
            .type = option_type::time,
            .fallback = "1s",
            .help = "a peer is dead after three missed heartbeats"})
      .add({.key = "node.watchdog",
            .type = option_type::time,
            .fallback = "1s",
            .help = "a handler that keeps its thread for longer is logged with its stack; 0: none "
                    "is"})
      .add({.key = "node.max_body",
            .type = option_type::size,
            .fallback = "32MiB",
            .help = "largest body"})
      .add({.key = "node.drain",
            .type = option_type::time,
            .fallback = "5s",
            .help = "how long running handlers may go on after SIGTERM"})
      .add({.key = "log.level",
            .fallback = "info",
            .help = "what is logged",
            .choices = {"debug", "info", "warn", "error", "off"}});
  for (const auto& each : more) {
    schema.add(each);
  }
  return schema;
}

result<std::vector<executor_options>> executors_from(const config& settings) {
  std::vector<executor_options> all;
  for (const auto& name : settings.names("executors")) {
    const std::string policy = "executors." + name + ".policy";
    const std::string workers = "executors." + name + ".workers";
    if (!settings.has(policy)) {
      return error(
          errc::invalid_value,
          settings.origin(workers) + ": executor '" + name + "' has no policy; set " + policy);
    }
    all.push_back({.name = name,
                   .policy = settings.text(policy),
                   .workers = settings.has(workers)
                                  ? static_cast<std::size_t>(settings.integer(workers))
                                  : 0});
  }
  return all;
}

/// Which executor a setting names, or where it names one that does not exist.
result<std::string> executor_named(const std::string& name,
                                   const std::string& key,
                                   const config& settings,
                                   const std::vector<executor_options>& own) {
  const auto known = known_executor(name, own);
  if (!known) {
    return error(errc::invalid_value,
                 settings.origin(key) + ": " + std::string(known.error().message()));
  }
  return name;
}

/// The table [placement] < the flag --place.
result<std::map<std::string, std::string>> placement_from(
    const config& settings, const std::vector<executor_options>& own) {
  std::map<std::string, std::string> all;
  for (const auto& topic : settings.names("placement")) {
    const std::string key = "placement." + topic;
    auto executor = executor_named(settings.text(key), key, settings, own);
    if (!executor) {
      return executor.error();
    }
    all[topic] = *std::move(executor);
  }
  for (const auto& each : settings.list("node.place")) {
    const auto equals = each.rfind('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == each.size()) {
      return error(errc::invalid_value,
                   settings.origin("node.place") + ": '" + each + "' is not topic=executor");
    }
    auto executor = executor_named(each.substr(equals + 1), "node.place", settings, own);
    if (!executor) {
      return executor.error();
    }
    all[each.substr(0, equals)] = *std::move(executor);
  }
  return all;
}

result<node_options> node_options_from(const config& settings) {
  auto executors = executors_from(settings);
  if (!executors) {
    return executors.error();
  }
  auto placement = placement_from(settings, *executors);
  if (!placement) {
    return placement.error();
  }
  auto executor =
      executor_named(settings.text("node.executor"), "node.executor", settings, *executors);
  if (!executor) {
    return executor.error();
  }
  return node_options{
      .name = settings.text("node.name"),
      .listen = settings.text("node.listen"),
      .connect = settings.list("node.connect"),
      .executor = *std::move(executor),
      .workers = static_cast<std::size_t>(settings.integer("node.workers")),
      .blocking_threads = static_cast<std::size_t>(settings.integer("node.blocking_threads")),
      .executors = *std::move(executors),
      .placement = *std::move(placement),
      .heartbeat = settings.time("node.heartbeat"),
      .watchdog = settings.time("node.watchdog"),
      .max_body = static_cast<std::size_t>(settings.size("node.max_body"))};
}

int usage_error(std::string_view program, const std::string& what) {
  std::fprintf(
      stderr, "%.*s: %s\n", static_cast<int>(program.size()), program.data(), what.c_str());
  return wrong_usage;
}

/// A full disk or a closed pipe: nobody has seen what was written.
int unless_unseen(std::string_view program, int code) {
  if (std::fflush(stdout) == 0) {
    return code;
  }
  std::fprintf(stderr,
               "%.*s: stdout cannot be written: %s\n",
               static_cast<int>(program.size()),
               program.data(),
               std::strerror(errno));
  return failed;
}

struct command_line {
  config_sources sources;
  bool help = false;
  bool print_config = false;
};

/// Splits `--name value` and `--name=value`; what the names mean is the schema's business.
result<command_line> split(int argc, char** argv, const config_schema& schema) {
  command_line line;
  const auto is_switch = [&](const std::string& name) {
    for (const auto& each : schema.options()) {
      if (flag_name(each.key) == "--" + name || flag_name(each.key) == name) {
        return each.type == option_type::boolean;
      }
    }
    return false;
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
    } else if (is_switch(name)) {
      value = "true";
    } else if (i + 1 < argc) {
      value = argv[++i];
    } else {
      return error(errc::invalid_value, "--" + name + " needs a value");
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
  const std::string_view path = argc > 0 ? argv[0] : "service";
  const std::string_view program = path.substr(path.rfind('/') + 1);
  auto schema = node_schema(options.settings);
  auto line = split(argc, argv, schema);
  if (!line) {
    return usage_error(program, std::string(line.error().message()));
  }
  if (line->help) {
    std::printf(
        "%.*s: %.*s\n\nUsage: %.*s [--config FILE] [--print-config] [--FLAG VALUE]...\n"
        "Example: %.*s %.*s\n\n%s",
        static_cast<int>(program.size()),
        program.data(),
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
