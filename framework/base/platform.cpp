#include <mailroom/framework/base/platform.hpp>

#include <pthread.h>
#include <sys/random.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace mailroom {
namespace {

class real_platform final : public platform {
 public:
  time_point now() const noexcept override { return clock::now(); }

  void random(std::span<std::byte> bytes) override {
    while (!bytes.empty()) {
      const auto got = ::getrandom(bytes.data(), bytes.size(), 0);
      if (got < 0) {
        if (errno == EINTR) {
          continue;
        }
        throw std::system_error(errno, std::generic_category(), "getrandom");
      }
      bytes = bytes.subspan(static_cast<std::size_t>(got));
    }
  }

  std::thread start_thread(const std::string& name, std::function<void()> body) override {
    return std::thread([name = name.substr(0, 15), body = std::move(body)] {
      ::pthread_setname_np(::pthread_self(), name.c_str());
      body();
    });
  }
};

}  // namespace

platform& platform::system() {
  static real_platform instance;
  return instance;
}

}  // namespace mailroom
