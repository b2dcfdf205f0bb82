#include <mailroom/tests/faults/raw_peer.hpp>
#include <mailroom/tests/faults/scene.hpp>

#include <mailroom/framework/wire/json.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <random>
#include <sstream>

using namespace mailroom;
using namespace mailroom::tests;

namespace {

// A live server, a caller that goes on calling it, and the two ports to be shouted at.
class victim {
 public:
  victim()
      : caller(server.address),
        talker(raw, server.address),
        begun_(clock::now()),
        alive_([this](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            talker.ping();
            std::this_thread::sleep_for(200ms);
          }
        }) {}

  std::vector<std::string> ports() const { return {server.address, talker.data_address()}; }

  void check_serves() {
    const auto got = caller.probes().call<said>("plain", "still here");
    BOOST_REQUIRE_MESSAGE(got, why(got));
  }

  // At most one line for each of `connections`, and ten a second.
  void check_log(std::size_t connections) {
    const auto text = server.running.errors();
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    const auto seconds = static_cast<std::size_t>(
        std::chrono::ceil<std::chrono::seconds>(clock::now() - begun_).count());
    BOOST_TEST(lines <= connections,
               lines << " lines for " << connections << " connections:\n"
                     << text.substr(0, 2000));
    BOOST_TEST(lines <= log::lines_per_second * seconds,
               lines << " lines in " << seconds << " s:\n"
                     << text.substr(0, 20'000));
    BOOST_TEST_MESSAGE(lines << " lines for " << connections << " connections in " << seconds
                             << " s");
  }

  other_process server{{.heartbeat = 10s}};
  caller_node caller;
  raw_context raw;
  raw_session talker;  // Its thread is `alive_`.

 private:
  time_point begun_;
  std::jthread alive_;
};

// Waits until all of it has been sent: a context ends when its sockets have.
class shouter {
 public:
  explicit shouter(victim& at) : at_(at) {}

  // On a link of its own, past what makes the server listen.
  void shout(std::span<const std::byte> frame, wire::plane plane) {
    raw_peer peer(context_,
                  plane == wire::plane::data ? at_.talker.data_address() : at_.server.address);
    if (plane == wire::plane::data) {
      auto first = at_.talker.attach();
      peer.send(first);
    } else if (frame.size() > 8 && frame[8] != static_cast<std::byte>(wire::kind::hello)) {
      wire::batch first(wire::plane::control);
      wire::write_hello(first, {});
      peer.send(first);
    }
    peer.send(frame);
    ++links_;
  }
  std::size_t links() const noexcept { return links_; }

 private:
  victim& at_;
  raw_context context_;
  std::size_t links_ = 0;
};

std::string random_words(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string words(size, ' ');
  std::generate(words.begin(), words.end(), [&] { return static_cast<char>(random()); });
  return words;
}

void check_words(const std::vector<std::string>& all) {
  victim at;
  std::size_t connections = 0;
  for (const auto& port : at.ports()) {
    for (const auto& words : all) {
      say_over_tcp(port, words);
      ++connections;
    }
    at.check_serves();
  }
  at.check_log(connections);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(faults)
BOOST_AUTO_TEST_SUITE(bad_input)

BOOST_AUTO_TEST_CASE(survives_random_bytes) {
  std::vector<std::string> all;
  for (unsigned seed = 0; seed < 50; ++seed) {
    all.push_back(random_words(seed * 37 % 5000, seed));
  }
  check_words(all);
}

BOOST_AUTO_TEST_CASE(survives_http) {
  check_words({"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: curious\r\n\r\n",
               "POST /call HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody",
               "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"});
}

BOOST_AUTO_TEST_CASE(survives_old_zmtp_peers) {
  using namespace std::string_literals;
  const std::string signature = "\xff\0\0\0\0\0\0\0\1\x7f"s;
  check_words(
      {"\1\0"s + "\6\0hello"s,                  // ZMTP 1.0: an anonymous peer, a message.
       signature + "\1\5\0\0"s + "\0\5hello"s,  // 2.0: revision 1, DEALER.
       signature + "\3\0NULL"s + std::string(48, '\0') + "\4\x26\5READY"s,  // 3.0, cut short.
       signature + "\x7f\0PLAIN"s + std::string(47, '\xff')});  // A revision that never was.
}

BOOST_AUTO_TEST_CASE(survives_random_frames) {
  victim at;
  {
    shouter out(at);
    for (unsigned seed = 0; seed < 200; ++seed) {
      const std::string words = random_words(1 + seed * 13 % 700, seed);
      const auto frame = std::as_bytes(std::span(words));
      out.shout(frame, wire::plane::control);
      out.shout(frame, wire::plane::data);
    }
    at.check_log(out.links());
  }
  at.check_serves();
}

BOOST_AUTO_TEST_CASE(survives_each_vector_with_each_byte_changed) {
  victim at;
  std::size_t links = 0;
  std::mt19937 random(7);
  for (const auto& [name, frame, plane] : read_vectors(MAILROOM_WIRE_VECTORS)) {
    shouter out(at);
    for (std::size_t i = 0; i < frame.size(); ++i) {
      auto changed = frame;
      changed[i] ^= static_cast<std::byte>(1 + random() % 255);
      out.shout(changed, plane);
    }
    links += out.links();
    at.check_serves();
  }
  BOOST_TEST(links > 1000U);
  at.check_log(links);
}

BOOST_AUTO_TEST_CASE(survives_each_vector_cut_short) {
  victim at;
  std::size_t links = 0;
  for (const auto& [name, frame, plane] : read_vectors(MAILROOM_WIRE_VECTORS)) {
    shouter out(at);
    for (std::size_t size = 1; size < frame.size(); size += size < 64 ? 1 : 7) {
      out.shout(std::span(frame).first(size), plane);
    }
    links += out.links();
    at.check_serves();
  }
  at.check_log(links);
}

BOOST_AUTO_TEST_CASE(survives_oversized_frames) {
  victim at;
  {
    shouter out(at);
    const octets large(std::size_t{34} << 20U, std::byte{0x4d});
    for (int i = 0; i < 3; ++i) {
      out.shout(large, wire::plane::control);
      out.shout(large, wire::plane::data);
      at.check_serves();
    }
    at.check_log(out.links());
  }
  at.check_serves();
  BOOST_TEST((at.server.running.figures().private_bytes >> 20U) < 300U);
}

BOOST_AUTO_TEST_CASE(counts_what_it_does_not_log) {
  // As the very first thing: the server had no host yet to count those for that had gone at once.
  other_process server({.heartbeat = 10s});
  constexpr int connections = 60;
  const auto begun = clock::now();
  // A greeting of ZMTP with a mechanism that nobody has.
  using namespace std::string_literals;
  const std::string words = "\xff\0\0\0\0\0\0\0\1\x7f\3\0MAGIC"s + std::string(47, '\0');
  for (int i = 0; i < 300; ++i) {
    say_and_leave(server.address, words);
  }
  for (int i = 0; i < connections; ++i) {
    say_over_tcp(server.address, words);
  }
  caller_node caller(server.address);
  const auto counted = [&](const std::string& what) {
    const auto stats = caller.here.admin(server.address, "stats").value();
    return nlohmann::json::parse(wire::json_from_body(stats.view()).value()).at(what).get<int>();
  };
  BOOST_TEST(eventually([&] { return counted("handshakes_failed") >= connections; }));
  // Those that have no line of their own are told by others, within seconds of the last.
  const auto told = [&] {
    int lines = 0;
    std::istringstream text(server.running.errors());
    for (std::string line; std::getline(text, line);) {
      if (const auto found = line.find("suppressed="); found != std::string::npos) {
        lines += std::stoi(line.substr(found + std::string_view("suppressed=").size()));
      }
    }
    return lines;
  };
  const int suppressed = counted("log_lines_suppressed");
  BOOST_TEST(suppressed > 0);
  BOOST_TEST(eventually([&] { return told() == suppressed; }));
  const auto text = server.running.errors();
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  const auto seconds = static_cast<std::size_t>(
      std::chrono::ceil<std::chrono::seconds>(clock::now() - begun).count());
  BOOST_TEST(lines <= log::lines_per_second * seconds, lines << " lines in " << seconds << " s");
}

BOOST_AUTO_TEST_CASE(tells_a_peer_of_another_protocol_version) {
  victim at;
  for (const bool in_frame : {true, false}) {
    raw_peer peer(at.raw, at.server.address);
    wire::batch out(wire::plane::control);
    wire::hello hello;
    hello.node = "from the future";
    if (!in_frame) {
      hello.min = 7;
      hello.max = 9;
    }
    wire::write_hello(out, hello);
    const auto taken = out.take();
    octets frame(taken.bytes().begin(), taken.bytes().end());
    if (in_frame) {
      frame[2] = std::byte{9};
    }
    peer.send(frame);
    const auto answer = peer.receive(10'000);
    BOOST_REQUIRE(answer.has_value());
    auto messages = wire::reader::open(*answer, wire::plane::control).value();
    wire::message first;
    BOOST_REQUIRE(messages.next(first).value());
    BOOST_REQUIRE((first.what == wire::kind::reject));
    const auto refused = wire::read_reject(first).value();
    BOOST_TEST(refused.code == static_cast<std::uint16_t>(errc::protocol_error));
    BOOST_TEST(!refused.reason.empty());
    BOOST_TEST(refused.max == wire::protocol_version);
  }
  at.check_serves();
  at.check_log(2);
}

BOOST_AUTO_TEST_SUITE_END()
BOOST_AUTO_TEST_SUITE_END()
