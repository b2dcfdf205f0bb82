#include <mailroom/tests/transports/scene.hpp>

#include <mailroom/transports/zmq/zmq_transport.hpp>

#include <boost/test/unit_test.hpp>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>

namespace {

using namespace mailroom;
using namespace mailroom::tests;
namespace fs = std::filesystem;

// A directory for sockets and a transport that listens in it.
class folder {
 public:
  folder() {
    std::string name = "/tmp/mailroom-files-XXXXXX";
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~folder() {
    close();
    loop_.call([this] { transport_.reset(); });
    fs::remove_all(path_);
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;

  fs::path at(const std::string& name) const { return path_ / name; }

  /// Why it could not.
  std::optional<error> listen(const fs::path& where) {
    return loop_.call([&]() -> std::optional<error> {
      auto opened = transport_->listen(loop_.get(), "ipc://" + where.string(), door_);
      if (!opened) {
        return opened.error();
      }
      port_ = *std::move(opened);
      return std::nullopt;
    });
  }
  void close() {
    loop_.call([this] { port_.reset(); });
  }

 private:
  fs::path path_;
  running_loop loop_{"files"};
  door door_;
  std::unique_ptr<transports::zmq_transport> transport_ =
      std::make_unique<transports::zmq_transport>();
  std::unique_ptr<rpc::transport::port> port_;
};

// What a process that was killed leaves behind; `kind` as SOCK_STREAM.
int bind_at(const fs::path& where, int kind) {
  const int made = ::socket(AF_UNIX, kind | SOCK_CLOEXEC, 0);
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  const std::string name = where.string();
  std::copy(name.begin(), name.end(), at.sun_path);
  const void* raw = &at;
  BOOST_REQUIRE(::bind(made, static_cast<const sockaddr*>(raw), sizeof at) == 0);
  return made;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(zmq_files)

// It was deleted.
BOOST_AUTO_TEST_CASE(an_ordinary_file_is_not_replaced) {
  folder in;
  const auto where = in.at("letter");
  std::ofstream(where) << "dear all";
  const auto failed = in.listen(where);
  BOOST_REQUIRE(failed.has_value());
  BOOST_TEST((*failed == errc::io));
  BOOST_TEST(failed->message().find("exists and is no socket") != std::string_view::npos);
  std::string words;
  std::getline(std::ifstream(where), words);
  BOOST_TEST(words == "dear all");
}

BOOST_AUTO_TEST_CASE(a_link_to_a_file_is_not_replaced) {
  folder in;
  std::ofstream(in.at("letter")) << "dear all";
  fs::create_symlink(in.at("letter"), in.at("link"));
  BOOST_TEST(in.listen(in.at("link")).has_value());
  BOOST_TEST(fs::is_symlink(in.at("link")));
  BOOST_TEST(fs::exists(in.at("letter")));
}

BOOST_AUTO_TEST_CASE(a_socket_that_somebody_uses_is_not_replaced) {
  folder in;
  const int stream = bind_at(in.at("stream"), SOCK_STREAM);
  BOOST_REQUIRE(::listen(stream, 1) == 0);
  const int datagrams = bind_at(in.at("datagrams"), SOCK_DGRAM);
  for (const auto* name : {"stream", "datagrams"}) {
    const auto failed = in.listen(in.at(name));
    BOOST_REQUIRE(failed.has_value());
    BOOST_TEST((*failed == errc::io));
    BOOST_TEST(fs::is_socket(in.at(name)));
  }
  ::close(stream);
  ::close(datagrams);
}

BOOST_AUTO_TEST_CASE(a_socket_that_nobody_listens_on_is_replaced) {
  folder in;
  ::close(bind_at(in.at("old"), SOCK_STREAM));
  BOOST_TEST(!in.listen(in.at("old")).has_value());
}

BOOST_AUTO_TEST_CASE(a_port_takes_its_file_with_it) {
  folder in;
  for (int i = 0; i < 3; ++i) {
    BOOST_REQUIRE(!in.listen(in.at("port")).has_value());
    BOOST_TEST(fs::is_socket(in.at("port")));
    in.close();
    BOOST_TEST(!fs::exists(in.at("port")));
  }
}

BOOST_AUTO_TEST_CASE(a_port_leaves_what_took_the_place_of_its_file) {
  folder in;
  BOOST_REQUIRE(!in.listen(in.at("port")).has_value());
  fs::remove(in.at("port"));
  std::ofstream(in.at("port")) << "dear all";
  in.close();
  BOOST_TEST(fs::is_regular_file(in.at("port")));
}

BOOST_AUTO_TEST_SUITE_END()
