#include <mailroom/framework/executors/blocking_pool.hpp>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mailroom::executors {
namespace {

constexpr std::size_t most_by_default = 32;

}  // namespace

class blocking_pool::shared {
 public:
  shared(std::size_t bound, platform& host) : bound_(bound), host_(host) {}

  void submit(const std::shared_ptr<shared>& self, job& one) noexcept {
    {
      const std::lock_guard lock(mutex_);
      if (!stopping_ && (idle_ > woken_ || threads_.size() == bound_ || start_one(self))) {
        enter(one);
        if (idle_ > woken_) {
          ++woken_;
          work_.notify_one();
        }
        return;
      }
    }
    one.dropped();
  }

  bool take_back(job& one) noexcept {
    const std::lock_guard lock(mutex_);
    if (one.queued_) {
      leave(one);
    }
    return std::exchange(one.queued_, false);
  }

  std::size_t stop(time_point until) {
    std::vector<std::thread> ended;
    job* dropped = nullptr;
    std::size_t left = 0;
    {
      std::unique_lock lock(mutex_);
      stopping_ = true;
      dropped = std::exchange(first_, nullptr);
      last_ = nullptr;
      queued_ = 0;
      for (job* each = dropped; each != nullptr; each = each->after_) {
        each->queued_ = false;
      }
      work_.notify_all();
    }
    while (dropped != nullptr) {
      std::exchange(dropped, dropped->after_)->dropped();
    }
    {
      std::unique_lock lock(mutex_);
      over_.wait_until(lock, until, [this] { return over_count_ == threads_.size(); });
      left = running_;
      for (auto& each : threads_) {
        if (each.over) {
          ended.push_back(std::move(each.handle));
        } else {
          each.handle.detach();
          each.handle = std::thread();
        }
      }
      threads_.clear();
      over_count_ = 0;
    }
    for (auto& each : ended) {
      each.join();
    }
    return left;
  }

  figures stats() const {
    const std::lock_guard lock(mutex_);
    return {threads_.size(), running_, queued_};
  }

  static const shared*& of_this_thread() noexcept {
    thread_local const shared* mine = nullptr;
    return mine;
  }

 private:
  struct member {
    std::thread handle;
    bool over = false;
  };

  // All but `live` under mutex_.

  void enter(job& last) noexcept {
    last.queued_ = true;
    last.before_ = last_;
    last.after_ = nullptr;
    (last_ != nullptr ? last_->after_ : first_) = &last;
    last_ = &last;
    ++queued_;
  }
  void leave(job& one) noexcept {
    (one.before_ != nullptr ? one.before_->after_ : first_) = one.after_;
    (one.after_ != nullptr ? one.after_->before_ : last_) = one.before_;
    --queued_;
  }

  // False: there is no thread at all, and none can be had. With fewer than wanted it goes on.
  bool start_one(const std::shared_ptr<shared>& self) noexcept {
    try {
      const std::size_t index = threads_.size();
      threads_.reserve(bound_);
      threads_.push_back({host_.start_thread("mr-block-" + std::to_string(index),
                                             [self, index] { self->live(index); }),
                          false});
      return true;
    } catch (const std::exception&) {
      return !threads_.empty();
    }
  }

  void live(std::size_t index) noexcept {
    of_this_thread() = this;
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (first_ == nullptr) {
        ++idle_;
        work_.wait(lock, [this] { return woken_ != 0 || stopping_; });
        --idle_;
        woken_ -= woken_ != 0 ? 1U : 0U;
        continue;
      }
      job& next = *first_;
      leave(next);
      next.queued_ = false;
      ++running_;
      lock.unlock();
      next.run();  // It may be gone now.
      lock.lock();
      --running_;
    }
    if (index < threads_.size()) {  // Else `stop` has left this thread to itself.
      threads_[index].over = true;
      ++over_count_;
      over_.notify_all();
    }
  }

  const std::size_t bound_;
  platform& host_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable over_;
  job* first_ = nullptr;  // Guarded by mutex_, as all that follows.
  job* last_ = nullptr;
  std::size_t queued_ = 0;
  std::size_t running_ = 0;
  std::size_t idle_ = 0;   // Threads that sleep, or that were woken and have not come to it.
  std::size_t woken_ = 0;  // How many of those were woken.
  bool stopping_ = false;
  std::vector<member> threads_;
  std::size_t over_count_ = 0;
};

std::size_t blocking_pool::usual_bound() noexcept {
  return std::min<std::size_t>(most_by_default, std::thread::hardware_concurrency() + 4U);
}

blocking_pool::blocking_pool(std::size_t bound, platform& host)
    : shared_(std::make_shared<shared>(bound != 0 ? bound : usual_bound(), host)) {}

blocking_pool::~blocking_pool() {
  stop(time_point::min());
}

void blocking_pool::submit(job& one) noexcept {
  shared_->submit(shared_, one);
}

bool blocking_pool::take_back(job& one) noexcept {
  return shared_->take_back(one);
}

bool blocking_pool::on_own_thread() const noexcept {
  return shared::of_this_thread() == shared_.get();
}

std::size_t blocking_pool::stop(time_point until) {
  return shared_->stop(until);
}

blocking_pool::figures blocking_pool::stats() const {
  return shared_->stats();
}

}  // namespace mailroom::executors
