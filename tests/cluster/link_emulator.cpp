// Joins two TAP devices, which it makes: cluster_link_emulator NAME NAME. Whoever starts it moves
// them to where the ends of the link are. It says "ready", and "ok" to each line on its input:
// "both|there|back SETTINGS", see emulated_path.hpp. It ends with its input, and the devices go.

#include <mailroom/tests/cluster/emulated_path.hpp>

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <utility>

namespace {

using namespace mailroom;
using tests::emulated_path;

constexpr int packets_at_once = 64;
constexpr std::size_t largest_packet = 65'536;

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

int make_tap(const char* name) {
  const int file = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (file < 0 || ioctl(file, TUNSETIFF, &request) < 0) {
    give_up(name);
  }
  return file;
}

/// What arrives at one end and leaves by the other.
struct direction {
  int in;
  int out;
  emulated_path path;

  void read_all() {
    std::array<std::byte, largest_packet> space;
    for (int i = 0; i < packets_at_once; ++i) {
      const ssize_t size = read(in, space.data(), space.size());
      if (size <= 0) {
        return;
      }
      path.put({space.data(), space.data() + size}, clock::now());
    }
  }
  void write_due() {
    while (const auto packet = path.take(clock::now())) {
      // An end that is down, or full, loses it, as a network would.
      [[maybe_unused]] const ssize_t written = write(out, packet->data(), packet->size());
    }
  }
};

/// Reads what to do from standard input, a line at a time.
class instructions {
 public:
  /// False at the end of the input.
  bool obey(direction& there, direction& back) {
    std::array<char, 1024> space;
    const ssize_t size = read(STDIN_FILENO, space.data(), space.size());
    if (size <= 0) {
      return size < 0 && errno == EINTR;
    }
    unread_.append(space.data(), static_cast<std::size_t>(size));
    for (auto end = unread_.find('\n'); end != std::string::npos; end = unread_.find('\n')) {
      obey_line(unread_.substr(0, end), there, back);
      unread_.erase(0, end + 1);
    }
    return true;
  }

 private:
  static void obey_line(const std::string& line, direction& there, direction& back) {
    const auto space = std::min(line.find(' '), line.size());
    const std::string which = line.substr(0, space);
    const auto settings = tests::read_path_settings(line.substr(space));
    if (!settings || (which != "both" && which != "there" && which != "back")) {
      std::fprintf(stderr, "not understood: %s\n", line.c_str());
      std::exit(2);
    }
    if (which != "back") {
      there.path.set(*settings);
    }
    if (which != "there") {
      back.path.set(*settings);
    }
    std::puts("ok");
    std::fflush(stdout);
  }

  std::string unread_;
};

timespec until(time_point when) {
  const auto left = std::clamp<duration>(when - clock::now(), 0ns, 1s);
  return {.tv_sec = left / 1s, .tv_nsec = (left % 1s).count()};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: cluster_link_emulator NAME NAME\n");
    return 2;
  }
  const int ends[] = {make_tap(argv[1]), make_tap(argv[2])};
  direction there{ends[0], ends[1], emulated_path(1)};
  direction back{ends[1], ends[0], emulated_path(2)};
  instructions from_input;
  std::puts("ready");
  std::fflush(stdout);
  for (;;) {
    pollfd ready[] = {{ends[0], POLLIN, 0}, {ends[1], POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    const timespec wait = until(std::min(there.path.next(), back.path.next()));
    if (ppoll(ready, std::size(ready), &wait, nullptr) < 0 && errno != EINTR) {
      give_up("ppoll");
    }
    there.read_all();
    back.read_all();
    there.write_due();
    back.write_due();
    if (ready[2].revents != 0 && !from_input.obey(there, back)) {
      return 0;
    }
  }
}
