#pragma once

#include <mailroom/framework/rpc/endpoint_options.hpp>
#include <mailroom/framework/rpc/method.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace mailroom {

/// How a method may be declared beside its name; combine with `|`.
enum class method_flags : unsigned {
  none = 0,
  suspending = 1,  ///< Runs on a fiber: may call, sleep and wait as if it blocked.
  idempotent = 2,  ///< Running it twice does no harm: a call whose outcome is `lost` is tried again
                   ///< by itself. This server answers it once, while it remembers the answer
                   ///< (`node_options::kept_answers`); another would run it again.
  blocking = 4,    ///< Runs on a thread that it may block, alone in its endpoint until it ends.
};
inline constexpr method_flags suspending = method_flags::suspending;
inline constexpr method_flags idempotent = method_flags::idempotent;
inline constexpr method_flags blocking = method_flags::blocking;

constexpr method_flags operator|(method_flags a, method_flags b) noexcept {
  return static_cast<method_flags>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr bool has(method_flags all, method_flags one) noexcept {
  return (static_cast<unsigned>(all) & static_cast<unsigned>(one)) != 0;
}

/// Describes an endpoint: a plain class whose methods take `context&` first and values after it.
/// One actor owns the object; two of its handlers never run at the same moment. Built by
/// `endpoint<T>(constructor arguments…)`, used by one thread, given to `node::serve`.
template <class Object>
class endpoint_builder {
 public:
  explicit endpoint_builder(std::function<std::shared_ptr<void>()> create)
      : create_(std::move(create)) {}

  /// Exposes a method. Its style follows from its result (`task<T>` is a coroutine) and the flags.
  /// Throws std::invalid_argument for a name that is empty, starts with '_' (those are never
  /// exposed) or is taken, and for flags that contradict the result.
  template <class Result, class Class, class... Args>
  endpoint_builder&& method(std::string name,
                            Result (Class::*function)(context&, Args...),
                            method_flags flags = method_flags::none) && {
    add<decltype(function), Result, Args...>(std::move(name), function, flags);
    return std::move(*this);
  }
  template <class Result, class Class, class... Args>
  endpoint_builder&& method(std::string name,
                            Result (Class::*function)(context&, Args...) const,
                            method_flags flags = method_flags::none) && {
    add<decltype(function), Result, Args...>(std::move(name), function, flags);
    return std::move(*this);
  }

  /// One call at a time: the next starts when the one before has ended. Default is reentrant: while
  /// a handler waits, others may run (eventlet, asyncio). A call that comes back here from within
  /// the one that runs, over whatever other endpoints and nodes, is answered at once with
  /// `errc::deadlock` and the path that it came.
  endpoint_builder&& exclusive() && {
    exclusive_ = true;
    return std::move(*this);
  }

  /// Exclusive, but such calls are let in: they run while the one that waits for them waits. Not
  /// while a blocking handler runs. (Orleans: call chain reentrancy)
  endpoint_builder&& exclusive_to_others() && {
    exclusive_ = true;
    lets_own_chain_in_ = true;
    return std::move(*this);
  }

  /// Calls that may wait to be started, and who goes when there are more. Default is 65 536, and
  /// the newest go. Throws std::invalid_argument for 0.
  endpoint_builder&& queue_limit(std::size_t calls,
                                 queue_policy when_full = queue_policy::refuse_newest) && {
    if (calls == 0) {
      throw std::invalid_argument("an endpoint whose queue takes no call would serve nobody");
    }
    queue_limit_ =
        static_cast<std::uint32_t>(std::min<std::size_t>(calls, endpoint_options::most_queued));
    when_full_ = when_full;
    return std::move(*this);
  }

  /// So many actors behind the target instead of one, to use more than one core. Each has an object
  /// of its own, made from copies of the arguments, and runs one handler at a time; what they share
  /// through the arguments must bear several threads. `exclusive` and `queue_limit` are for each.
  ///
  /// A call goes to the least busy of them, or of eight if there are more: to that with the fewest
  /// calls waiting or running, in turn if they are equal. That gives no order between calls; see
  /// `sharded`. A call that comes back from within a call to this endpoint goes to another instance
  /// than the one that waits for it (`exclusive`), or to that one (`exclusive_to_others`). A fanout
  /// reaches all of them. They are placed and moved together, and on "cooperative" and "loop-bound"
  /// share one thread.
  ///
  /// A deployment may change the number, if this or `sharded` was said at all. Throws
  /// std::invalid_argument for 0, and for more than 1024.
  endpoint_builder&& instances(std::size_t count) && {
    if (count == 0 || count > endpoint_options::most_instances) {
      throw std::invalid_argument("an endpoint has from 1 to 1024 instances, not " +
                                  std::to_string(count));
    }
    instances_ = count;
    may_have_several_ = true;
    return std::move(*this);
  }

  /// Of several instances, all calls with equal keys go to the same, and start there in the order
  /// they were sent: each may keep the state of its keys. The key is the first argument, unless
  /// `key_argument` says which. It is not decoded, but compared as it was sent, where the call
  /// arrives: whole numbers by value, text and bytes by content, all else byte by byte. (Short keys
  /// are best; of one over 4096 bytes the rest does not count.) A call without that argument goes
  /// to any instance. Keys stay where they were after a restart with as many instances.
  endpoint_builder&& sharded() && {
    sharing_ = rpc::sharing::by_key;
    may_have_several_ = true;
    return std::move(*this);
  }

  /// The key of the method named last is this argument, counted from 0. Throws
  /// std::invalid_argument if it takes no such argument, or if there is no method yet.
  endpoint_builder&& key_argument(std::size_t position) && {
    if (methods_.empty() || position >= std::min<std::size_t>(methods_.back().arguments, 255)) {
      throw std::invalid_argument(
          methods_.empty() ? "key_argument comes after the method that it is of"
                           : "method '" + methods_.back().is.name + "' takes no argument " +
                                 std::to_string(position) + ", counted from 0");
    }
    methods_.back().is.key_argument = static_cast<std::uint8_t>(position);
    return std::move(*this);
  }

  /// Places the endpoint on an executor of this policy instead of the node's ("cooperative",
  /// "work-stealing", "loop-bound"; "loop-bound/1" is the second loop).
  endpoint_builder&& placed_on(std::string executor) && {
    executor_ = std::move(executor);
    return std::move(*this);
  }

  /// For `node::serve`: what the deployment says outranks what was said here. `errc::invalid_value`
  /// if there cannot be so many instances.
  result<void> deploy(const endpoint_options& with) {
    queue_limit_ = static_cast<std::uint32_t>(with.queue_limit.value_or(queue_limit_));
    when_full_ = with.queue_policy.value_or(when_full_);
    instances_ = with.instances.value_or(instances_);
    if (instances_ > 1 && !may_have_several_) {
      return error(errc::invalid_value,
                   "cannot have " + std::to_string(instances_) +
                       " instances: its code says neither instances(…) nor sharded(), so it may "
                       "rely on being alone");
    }
    return {};
  }

  /// For `node::serve`: makes the objects and what they offer under the name of a topic. Throws
  /// what the object's constructor throws.
  std::shared_ptr<const rpc::endpoint_definition> build(const std::string& topic) && {
    auto first = build_instance(topic);
    if (instances_ > 1) {
      auto others = std::make_unique<rpc::other_instances>();
      others->how = sharing_;
      while (others->all.size() < instances_ - 1) {
        others->all.push_back(build_instance(topic));
      }
      first->others = std::move(others);
    }
    return first;
  }

 private:
  using maker = std::function<std::unique_ptr<const rpc::method>(
      const std::string& topic, const rpc::method_description& of)>;

  struct registered {
    rpc::method_description is;
    std::size_t arguments;
    maker make;
  };

  std::shared_ptr<rpc::endpoint_definition> build_instance(const std::string& topic) const {
    auto built = std::make_shared<rpc::endpoint_definition>();
    for (const auto& each : methods_) {
      built->methods.push_back(each.make(topic, each.is));
    }
    built->object = create_();
    built->exclusive = exclusive_;
    built->lets_own_chain_in = lets_own_chain_in_;
    built->queue_limit = queue_limit_;
    built->when_full = when_full_;
    built->executor = executor_;
    built->one_of_several = instances_ > 1;
    return built;
  }

  template <class Function, class Result, class... Args>
  void add(std::string name, Function function, method_flags flags) {
    if (name.empty() || name.front() == '_') {
      throw std::invalid_argument("method name '" + name +
                                  "' cannot be exposed: it is empty or starts with '_'");
    }
    for (const auto& taken : methods_) {
      if (taken.is.name == name) {
        throw std::invalid_argument("method '" + name + "' is registered twice");
      }
    }
    if (is_task<Result> && has(flags, suspending | blocking)) {
      throw std::invalid_argument(
          "method '" + name +
          "' returns task<T>, so it is a coroutine and neither suspending nor blocking");
    }
    if (has(flags, suspending) && has(flags, blocking)) {
      throw std::invalid_argument("method '" + name +
                                  "' is declared suspending and blocking; it can be one of them");
    }
    const auto how = is_task<Result>          ? async::style::coroutine
                     : has(flags, suspending) ? async::style::suspending
                     : has(flags, blocking)   ? async::style::blocking
                                              : async::style::plain;
    methods_.push_back(
        {{std::move(name), how, has(flags, idempotent), 0},
         sizeof...(Args),
         [function](const std::string& topic,
                    const rpc::method_description& of) -> std::unique_ptr<const rpc::method> {
           return std::make_unique<rpc::detail::bound_method<Object, Function, Result, Args...>>(
               topic, of, function);
         }});
  }

  std::function<std::shared_ptr<void>()> create_;
  std::vector<registered> methods_;
  bool exclusive_ = false;
  bool lets_own_chain_in_ = false;
  std::uint32_t queue_limit_ = 65'536;
  queue_policy when_full_ = queue_policy::refuse_newest;
  std::size_t instances_ = 1;
  rpc::sharing sharing_ = rpc::sharing::balanced;
  bool may_have_several_ = false;
  std::string executor_;
};

/// Starts the description of an endpoint whose object is made from copies of `arguments` when it is
/// served.
template <class Object, class... Args>
endpoint_builder<Object> endpoint(Args... arguments) {
  return endpoint_builder<Object>([kept = std::make_tuple(
                                       std::move(arguments)...)]() -> std::shared_ptr<void> {
    return std::apply([](const auto&... each) { return std::make_shared<Object>(each...); }, kept);
  });
}

}  // namespace mailroom
