#include <mailroom/transports/zmq/name_lookup.hpp>

#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <system_error>
#include <utility>

namespace mailroom::transports::zmq {
namespace {

// Threads that wait for the system at a time, in the whole process.
constexpr std::size_t most_at_once = 32;
std::atomic<std::size_t> at_once{0};

struct answer {
  std::string why;
  std::vector<std::string> addresses;
};

answer ask_the_system(const std::string& name, const std::string& port) {
  answer got;
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (const int failed = ::getaddrinfo(name.c_str(), port.c_str(), &wanted, &found); failed != 0) {
    got.why = ::gai_strerror(failed);
    return got;
  }
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(each->ai_addr,
                      each->ai_addrlen,
                      text.data(),
                      static_cast<socklen_t>(text.size()),
                      nullptr,
                      0,
                      NI_NUMERICHOST) == 0) {
      got.addresses.emplace_back(text.data());
    }
  }
  ::freeaddrinfo(found);
  if (got.addresses.empty()) {
    got.why = "the name has no address";
  }
  return got;
}

}  // namespace

struct name_lookup::shared {
  told tell;  // Loop thread only.
  std::mutex mutex;
  executors::event_loop* loop;  // Null: nobody wants to know any more. Guarded by mutex.

  static void post(const std::shared_ptr<shared>& to, answer got) {
    const std::lock_guard lock(to->mutex);
    if (to->loop != nullptr) {
      to->loop->post([to, got = std::move(got)] {
        if (to->loop != nullptr) {  // Written by this thread.
          to->tell(got.why, got.addresses);
        }
      });
    }
  }
};

name_lookup::name_lookup(platform& host,
                         executors::event_loop& on,
                         const std::string& name,
                         const std::string& port,
                         told tell)
    : shared_(std::make_shared<shared>()) {
  shared_->tell = std::move(tell);
  shared_->loop = &on;
  if (at_once.fetch_add(1) >= most_at_once) {
    at_once.fetch_sub(1);
    shared::post(shared_, {"too many names are being looked up", {}});
    return;
  }
  try {
    host.start_thread("mr-lookup",
                      [to = shared_, name, port] {
                        shared::post(to, ask_the_system(name, port));
                        at_once.fetch_sub(1);
                      })
        .detach();
  } catch (const std::system_error& failed) {
    at_once.fetch_sub(1);
    shared::post(shared_, {failed.code().message(), {}});
  }
}

name_lookup::~name_lookup() {
  const std::lock_guard lock(shared_->mutex);
  shared_->loop = nullptr;
}

}  // namespace mailroom::transports::zmq
