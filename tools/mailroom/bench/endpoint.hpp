#pragma once

#include <mailroom/framework/async/task.hpp>
#include <mailroom/framework/rpc/endpoint.hpp>
#include <mailroom/framework/wire/encoded.hpp>

#include <cstdint>

namespace mailroom::bench {

inline constexpr const char* topic = "echo";

/// What load is put on. An endpoint like every other: nothing knows it.
class echo_endpoint {
 public:
  // The value goes back as it came: text as text, bytes as bytes.
  wire::encoded echo(context&, wire::encoded value) { return value; }
  task<wire::encoded> echo_coroutine(context&, wire::encoded value) { co_return value; }
  wire::encoded echo_suspending(context&, wire::encoded value) { return value; }

  void sink(context&, wire::encoded) { ++received_; }
  std::uint64_t received(context&) { return received_; }

  static endpoint_builder<echo_endpoint> describe() {
    return endpoint<echo_endpoint>()
        .method("echo", &echo_endpoint::echo)
        .method("echo_coroutine", &echo_endpoint::echo_coroutine)
        .method("echo_suspending", &echo_endpoint::echo_suspending, suspending)
        .method("sink", &echo_endpoint::sink)
        .method("received", &echo_endpoint::received);
  }

 private:
  std::uint64_t received_ = 0;
};

}  // namespace mailroom::bench
