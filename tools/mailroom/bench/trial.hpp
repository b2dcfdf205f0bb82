#pragma once

#include <mailroom/framework/base/result.hpp>

#include <map>
#include <string>
#include <vector>

namespace mailroom::bench {

/// A question that a comparison asks each contender: what load, and which of the figures answer it.
struct trial {
  struct figure {
    const char* name;
    bool more_is_better;
  };

  const char* name;
  const char* title;
  bool one_way;
  const char* in_flight;
  const char* payload;
  const char* server_cpu;  ///< Empty: wherever the system likes.
  const char* client_cpu;
  std::vector<figure> figures;
};

/// All there are, in the order they are run.
const std::vector<trial>& trials();

/// Who is compared: bare libzmq (`raw`), or mailroom with the server on an executor.
struct contender {
  std::string name;
  bool bare = false;
  std::string executor = {};
  std::string program = {};  ///< Somebody's service; empty: the endpoint of `bench serve`.
  std::string topic = {};    ///< Of the service, and below.
  std::string method = {};

  /// A service need not have what counts casts.
  bool plays(const trial& what) const noexcept { return program.empty() || !what.one_way; }
};

/// Runs a server and a load generator as processes of their own, and gives the trial's figures by
/// name.
result<std::map<std::string, double>> run_once(const trial& what,
                                               const contender& who,
                                               double seconds,
                                               const std::string& client_executor);

}  // namespace mailroom::bench
