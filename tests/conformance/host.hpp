#pragma once

#include <mailroom/tests/conformance/artisan.hpp>
#include <mailroom/tests/conformance/probe.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace mailroom::tests {

/// I/O loops of a node with this executor: "loop-bound/1" is the second.
inline std::size_t loops_for(const std::string& executor) {
  return executor.ends_with("/1") ? 2 : 1;
}

/// A node that serves the probes and obeys words, in this process or at the other end of a pipe:
/// "start" (answers its address), "stop MILLISECONDS" (whether all ended by itself: 1 or 0), "count
/// NAME", "idle COUNT" (more endpoints). One thread at a time.
class probe_host {
 public:
  explicit probe_host(node_options with)
      : counts_(std::make_shared<board>()), node_(std::move(with)) {
    serve_probes(node_, counts_);
    serve_artisans(node_, counts_);
  }

  std::string obey(const std::string& line);

 private:
  std::shared_ptr<board> counts_;
  node node_;
};

}  // namespace mailroom::tests
