#include <mailroom/tools/mailroom/bench/process.hpp>
#include <mailroom/tools/mailroom/bench/trial.hpp>
#include <mailroom/tools/mailroom/json_text.hpp>

#include <cstdlib>

namespace mailroom::bench {
namespace {

error broken(const contender& who, const trial& what, const std::string& how) {
  return error(errc::internal, who.name + ", " + what.name + ": " + how);
}

std::vector<std::string> server_arguments(const trial& what, const contender& who) {
  std::vector<std::string> words{"bench"};
  if (who.bare) {
    words.emplace_back(what.one_way ? "raw-sink" : "raw-serve");
  } else {
    words.insert(words.end(), {"serve", "--executor", who.executor});
  }
  words.insert(words.end(), {"--listen", "tcp://127.0.0.1:0"});
  if (*what.server_cpu != '\0') {
    words.insert(words.end(), {"--cpu", what.server_cpu});
  }
  return words;
}

result<child> start_server(const trial& what, const contender& who) {
  if (who.program.empty()) {
    return child::start(server_arguments(what, who));
  }
  std::vector<std::string> words;
  if (*what.server_cpu != '\0') {
    words = {"taskset", "--cpu-list", what.server_cpu};
  }
  words.insert(words.end(),
               {who.program,
                "--listen",
                "tcp://127.0.0.1:0",
                "--executor",
                who.executor,
                "--log-level",
                "error"});
  return child::start_program(words);
}

std::vector<std::string> client_arguments(const trial& what,
                                          const contender& who,
                                          const std::string& address,
                                          double seconds,
                                          const std::string& executor) {
  std::vector<std::string> words{"bench"};
  if (who.bare) {
    words.emplace_back(what.one_way ? "raw-cast" : "raw-call");
  } else {
    words.insert(words.end(), {what.one_way ? "cast" : "call", "--executor", executor});
  }
  if (!who.program.empty()) {
    words.insert(words.end(), {"--topic", who.topic, "--method", who.method});
  }
  words.insert(words.end(),
               {"--connect",
                address,
                "--in-flight",
                what.in_flight,
                "--payload",
                what.payload,
                "--seconds",
                std::to_string(seconds),
                "--json"});
  if (*what.client_cpu != '\0') {
    words.insert(words.end(), {"--cpu", what.client_cpu});
  }
  return words;
}

std::map<std::string, double> figures_from(const nlohmann::json& told, const trial& what) {
  const auto number = [&told](const char* key) {
    const auto found = told.find(key);
    return found != told.end() && found->is_number() ? found->get<double>() : 0.0;
  };
  // CPU seconds for 100 000 are microseconds for one, times ten.
  std::map<std::string, double> all{
      {"cpu_us_per_call", (number("client_cpu_s_per_100k") + number("server_cpu_s_per_100k")) * 10},
      {"mb_per_s", number("calls_per_s") * std::strtod(what.payload, nullptr) / 1e6}};
  for (const char* key : {"calls_per_s", "received_per_s", "p50_us", "p99_us"}) {
    all[key] = number(key);
  }
  std::map<std::string, double> wanted;
  for (const auto& each : what.figures) {
    wanted[each.name] = all[each.name];
  }
  return wanted;
}

}  // namespace

const std::vector<trial>& trials() {
  static const std::vector<trial> all{
      {"calls-1000",
       "64 B, 1000 in flight",
       false,
       "1000",
       "64",
       "",
       "",
       {{"calls_per_s", true}, {"cpu_us_per_call", false}}},
      {"calls-32",
       "64 B, 32 in flight",
       false,
       "32",
       "64",
       "",
       "",
       {{"calls_per_s", true}, {"cpu_us_per_call", false}}},
      {"latency-one-cpu",
       "64 B, 1 in flight, both ends on one CPU",
       false,
       "1",
       "64",
       "0",
       "0",
       {{"p50_us", false}, {"p99_us", false}}},
      {"latency-two-cpus",
       "64 B, 1 in flight, each end on a CPU",
       false,
       "1",
       "64",
       "0",
       "1",
       {{"p50_us", false}, {"p99_us", false}}},
      {"bulk",
       "64 KiB, 16 in flight",
       false,
       "16",
       "65536",
       "",
       "",
       {{"mb_per_s", true}, {"cpu_us_per_call", false}}},
      {"casts",
       "64 B, one way, 10000 in flight",
       true,
       "10000",
       "64",
       "",
       "",
       {{"received_per_s", true}, {"cpu_us_per_call", false}}},
  };
  return all;
}

result<std::map<std::string, double>> run_once(const trial& what,
                                               const contender& who,
                                               double seconds,
                                               const std::string& client_executor) {
  auto server = start_server(what, who);
  if (!server) {
    return server.error();
  }
  const auto ready = server->read_line();
  const std::string greeting = "ready ";
  if (!ready || ready->rfind(greeting, 0) != 0) {
    return broken(who, what, "the server did not start");
  }
  auto client = child::start(
      client_arguments(what, who, ready->substr(greeting.size()), seconds, client_executor));
  if (!client) {
    return client.error();
  }
  const std::string told = client->read_rest();
  if (client->wait() != 0) {
    return broken(who, what, "the load generator failed");
  }
  if (server->terminate() != 0) {
    return broken(who, what, "the server did not end well");
  }
  const auto json = cli::json_from(told);
  if (!json.is_object()) {
    return broken(who, what, "the load generator said: " + told);
  }
  if (json.value("errors", 1) != 0) {
    return broken(who, what, "errors in: " + told);
  }
  return figures_from(json, what);
}

}  // namespace mailroom::bench
