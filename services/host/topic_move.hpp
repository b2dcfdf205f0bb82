#pragma once

#include <mailroom/services/host/node_impl.hpp>

#include <mailroom/actors/runtime.hpp>

#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/executors/timer_queue.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailroom {

/// One order to move the endpoints of a topic to another executor: all of them, or none. Nothing is
/// held up there before the new place has shown that it runs turns, and whoever gave the order
/// hears of it within its limit, or twice that if some have to go back. Control thread.
class topic_move final : public std::enable_shared_from_this<topic_move>, private executors::timer {
 public:
  struct order {
    std::string topic;
    std::string executor;  ///< As people name it.
    actors::runtime::place to;
    duration limit;
    std::function<void(const result<void>&)> tell;
  };

  topic_move(running_node& in, order what);
  ~topic_move();

  const std::string& topic() const noexcept { return what_.topic; }
  bool has_begun() const noexcept { return has_begun_; }

  /// From here on its limit counts.
  void wait();
  /// No other move of the topic is under way.
  void begin();
  /// The node stops: what has not set out stays.
  void stop();

 private:
  // One endpoint.
  struct part {
    part(actors::endpoint& what,
         const actors::runtime::place& here,
         const actors::runtime::place& there)
        : which(what), from(here), to(there) {}

    enum class phase {
      looking,    // Whether its new place runs turns.
      leaving,    // As soon as it can.
      arrived,    // At the new place.
      returning,  // Since others could not leave.
      stays,      // Where it was.
      stranded    // On its way, to a place that does not run turns any more.
    };
    actors::endpoint& which;
    actors::runtime::place from;
    actors::runtime::place to;
    phase at = phase::looking;
    std::shared_ptr<rpc::relocation> moving = nullptr;
    std::atomic<bool> answered{false};
  };
  using phase = part::phase;

  void on_time() noexcept override;
  void add(const running_node::moving_endpoint& endpoint);
  bool is_there() const;
  void reached(part& one);
  void leave(part& one);
  void answered(part& one, const result<void>& outcome);
  void time_is_up();
  void give_up(part& one, const error& why);
  void fail(const error& why);
  void settle();
  void go_back();
  void finish();
  std::size_t count(phase at) const;
  error stays(const std::string& why) const;

  running_node& in_;
  const order what_;
  const time_point asked_;
  bool has_begun_ = false;
  bool goes_back_ = false;
  bool has_had_grace_ = false;
  bool is_over_ = false;
  std::vector<std::unique_ptr<part>> parts_;
  std::optional<error> failure_;
};

}  // namespace mailroom
