#include <mailroom/tools/mailroom/bench/process.hpp>
#include <mailroom/tools/mailroom/bench/raw_socket.hpp>
#include <mailroom/tools/mailroom/bench/ready.hpp>
#include <mailroom/tools/mailroom/bench/verbs.hpp>
#include <mailroom/tools/mailroom/options.hpp>

#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>

namespace mailroom::bench {
namespace {

struct raw_serve_settings {
  std::string listen = "tcp://127.0.0.1:0";
  std::optional<unsigned> cpu;
  bool as_json = false;
};

void answer_stats(raw::socket& router, raw::message& from, std::uint64_t received) {
  const raw::server_stats now{static_cast<std::uint64_t>(own_cpu_time().count()), received};
  raw::message part;
  from.send(router, ZMQ_SNDMORE);
  part.resize(0);
  part.send(router, ZMQ_SNDMORE);
  std::memcpy(part.resize(sizeof now).data(), &now, sizeof now);
  part.send(router);
}

/// Takes all that is there without waiting. `echo`: sends it back as it came.
template <bool echo>
std::uint64_t drain(raw::socket& router,
                    raw::message& from,
                    raw::message& body,
                    std::uint64_t received) {
  while (from.receive(router)) {
    if (!body.receive(router)) {
      break;
    }
    if (body.size() == 0) {
      answer_stats(router, from, received);
      continue;
    }
    ++received;
    if constexpr (echo) {
      from.send(router, ZMQ_SNDMORE);
      body.send(router);
    }
  }
  return received;
}

template <bool echo>
int serve(const std::string& verb, const raw_serve_settings& with) {
  hold_stop_signals();
  sigset_t both;
  sigemptyset(&both);
  sigaddset(&both, SIGTERM);
  sigaddset(&both, SIGINT);
  const int stop = signalfd(-1, &both, SFD_NONBLOCK | SFD_CLOEXEC);
  if (with.cpu) {
    if (auto kept = keep_to_cpu(*with.cpu); !kept) {
      return cli::failed(verb, kept.error());
    }
  }
  const raw::context context;
  raw::socket router(context, ZMQ_ROUTER);
  if (zmq_bind(router.raw(), with.listen.c_str()) != 0) {
    return cli::not_started(verb, raw::zmq_error("cannot listen at " + with.listen));
  }
  std::array<char, 256> address{};
  std::size_t size = address.size();
  zmq_getsockopt(router.raw(), ZMQ_LAST_ENDPOINT, address.data(), &size);
  if (!tell_ready(address.data(), with.as_json)) {
    return 1;
  }
  raw::message from;
  raw::message body;
  std::uint64_t received = 0;
  std::array<zmq_pollitem_t, 2> items{
      {{router.raw(), 0, ZMQ_POLLIN, 0}, {nullptr, stop, ZMQ_POLLIN, 0}}};
  while ((items[1].revents & ZMQ_POLLIN) == 0) {
    received = drain<echo>(router, from, body, received);
    zmq_poll(items.data(), static_cast<int>(items.size()), -1);
  }
  close(stop);
  return 0;
}

template <bool echo>
void add(const cli::command& to, const std::string& name, const std::string& description) {
  const cli::command verb =
      to.add_verb(name, description, "mailroom bench " + name + " --listen tcp://127.0.0.1:7001");
  auto with = std::make_shared<raw_serve_settings>();
  cli::add_listen(verb, with->listen);
  cli::add_cpu(verb, with->cpu);
  cli::add_json(verb, with->as_json);
  verb.runs([with, name] { return serve<echo>("bench " + name, *with); });
}

}  // namespace

void add_raw_serve(const cli::command& to) {
  add<true>(to, "raw-serve", "Echo over bare libzmq: the baseline");
  add<false>(to, "raw-sink", "Count messages over bare libzmq: the one-way baseline");
}

}  // namespace mailroom::bench
