#include <mailroom/framework/executors/descriptor_watch.hpp>

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <utility>

namespace mailroom::executors {
namespace {

bool wants(readiness what, readiness one) noexcept {
  return (static_cast<unsigned>(what) & static_cast<unsigned>(one)) != 0;
}

std::uint32_t events_of(readiness what) noexcept {
  std::uint32_t events = 0;
  if (wants(what, readiness::readable)) {
    events |= EPOLLIN | EPOLLRDHUP;
  }
  if (wants(what, readiness::writable)) {
    events |= EPOLLOUT;
  }
  return events;
}

std::error_code of_system(int number) noexcept {
  return {number, std::generic_category()};
}

int open_epoll() {
  const int opened = ::epoll_create1(EPOLL_CLOEXEC);
  if (opened < 0) {
    throw std::system_error(of_system(errno), "epoll_create1");
  }
  return opened;
}

}  // namespace

watch_set::watch_set() : epoll_(open_epoll()) {}

watch_set::~watch_set() {
  assert(watched_.empty());
  ::close(epoll_);
}

// Once: it is armed anew if somebody is left who was not told.
std::error_code watch_set::arm(int descriptor,
                               const descriptor_watch& newest,
                               int operation) noexcept {
  epoll_event wanted{};
  wanted.events = EPOLLONESHOT;
  wanted.data.fd = descriptor;
  for (const auto* each = &newest; each != nullptr; each = each->older_) {
    wanted.events |= events_of(each->for_);
  }
  return ::epoll_ctl(epoll_, operation, descriptor, &wanted) == 0 ? std::error_code()
                                                                  : of_system(errno);
}

void watch_set::link(descriptor_watch*& newest, descriptor_watch& w) noexcept {
  w.newer_ = nullptr;
  w.older_ = newest;
  if (newest != nullptr) {
    newest->newer_ = &w;
  }
  newest = &w;
}

void watch_set::unlink(descriptor_watch*& newest, descriptor_watch& w) noexcept {
  (w.newer_ != nullptr ? w.newer_->older_ : newest) = w.older_;
  if (w.older_ != nullptr) {
    w.older_->newer_ = w.newer_;
  }
  w.descriptor_ = -1;
}

std::error_code watch_set::begin(descriptor_watch& w, int descriptor, readiness what) {
  const std::lock_guard lock(mutex_);
  assert(w.descriptor_ == -1);
  const auto [at, is_new] = watched_.try_emplace(descriptor, nullptr);
  descriptor_watch* const before = at->second;
  w.descriptor_ = descriptor;
  w.for_ = what;
  link(at->second, w);
  auto failed = arm(descriptor, w, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD);
  if (!failed) {
    return {};
  }
  unlink(at->second, w);
  // It was closed while others watched it, which the kernel tells nobody.
  for (auto* each = before; each != nullptr;) {
    descriptor_watch& stranded = *std::exchange(each, each->older_);
    unlink(at->second, stranded);
    stranded.on_descriptor(of_system(EBADF));
  }
  if (failed == std::errc::no_such_file_or_directory) {  // Its number is another's now.
    w.descriptor_ = descriptor;
    link(at->second, w);
    failed = arm(descriptor, w, EPOLL_CTL_ADD);
    if (!failed) {
      return {};
    }
    unlink(at->second, w);
  }
  watched_.erase(at);
  return failed;
}

void watch_set::end(descriptor_watch& w) noexcept {
  const std::lock_guard lock(mutex_);
  if (w.descriptor_ == -1) {
    return;
  }
  const auto at = watched_.find(w.descriptor_);
  unlink(at->second, w);
  settle(at);
}

// After somebody left: the kernel watches for the others, or not at all. Kept there unwatched, it
// would be mistaken for what later has its number.
void watch_set::settle(watchers::iterator at) noexcept {
  const auto [descriptor, newest] = *at;
  if (newest == nullptr) {
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
    watched_.erase(at);
  } else {
    // Fails if it was closed; then the next to watch its number finds out.
    static_cast<void>(arm(descriptor, *newest, EPOLL_CTL_MOD));
  }
}

void watch_set::tell() noexcept {
  std::array<epoll_event, 64> ready{};
  // Asked under the lock, so that what is reported is still watched.
  const std::lock_guard lock(mutex_);
  const int count = ::epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), 0);
  for (int i = 0; i < count; ++i) {
    const auto& event = ready[static_cast<std::size_t>(i)];
    const auto at = watched_.find(event.data.fd);
    if (at == watched_.end()) {
      continue;  // Of a duplicate that was left open.
    }
    const bool broken = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
    descriptor_watch* told = nullptr;
    for (auto* each = at->second; each != nullptr;) {
      descriptor_watch& w = *std::exchange(each, each->older_);
      if (broken || (event.events & events_of(w.for_)) != 0) {
        unlink(at->second, w);
        link(told, w);
      }
    }
    settle(at);
    while (told != nullptr) {  // Oldest first: each was put before the newer ones.
      std::exchange(told, told->older_)->on_descriptor({});
    }
  }
}

std::size_t watch_set::size() const {
  const std::lock_guard lock(mutex_);
  return watched_.size();
}

}  // namespace mailroom::executors
