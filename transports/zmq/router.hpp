#pragma once

#include <mailroom/transports/zmq/address.hpp>
#include <mailroom/transports/zmq/backlog.hpp>
#include <mailroom/transports/zmq/keeper.hpp>
#include <mailroom/transports/zmq/socket.hpp>

#include <mailroom/framework/rpc/transport.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mailroom::transports::zmq {

class router;

/// One peer of a ROUTER, known by its routing id. It stays, silent, after its last callback until
/// its connection has gone, so that what the peer still sends is not taken for a new link.
class router_link final : public rpc::link, public executors::event_loop::source {
 public:
  router_link(router& through, std::string_view id, int descriptor, std::string peer);
  virtual ~router_link();

  bool send(wire::buffer& frame) override;
  std::size_t unsent_bytes() const noexcept override { return backlog_->unsent(); }
  std::string_view peer_address() const noexcept override { return peer_; }
  std::string_view log_group() const noexcept override;
  void close(bool flush) override;

  /// There is room again.
  void on_ready() noexcept override;

 private:
  friend class router;

  router& router_;
  const std::string id_;
  const int descriptor_;
  const std::string peer_;
  backlog* const backlog_;
  rpc::link_observer* observer_ = nullptr;  // Null: silent.
  bool closed_ = false;                     // By our side.
  bool refused_ = false;                    // A send, for want of room.
  bool dying_ = false;                      // Its connection has gone.
  time_point dying_since_{};
  time_point cut_at_ =
      time_point::max();  // It was told goodbye and has until then to go by itself.
};

/// A ROUTER socket on one loop and the links that came in through it.
class router final : public executors::event_loop::source,
                     public std::enable_shared_from_this<router> {
 public:
  router(std::shared_ptr<context> in,
         executors::event_loop& on,
         rpc::acceptor& who,
         std::weak_ptr<keeper<router>> closing);
  virtual ~router();

  /// Once. Throws std::system_error like the constructor when the system has nothing left; ordinary
  /// failures are returned.
  result<void> listen(const address& where);

  const std::string& address() const noexcept { return address_; }

  /// The port closes: no callback follows. Links that are saying goodbye keep the router in
  /// `closing`, and its address in use, until they are done; all others are cut.
  void shut();

  /// After `shut`, for the end of the loop: waits until the last words have left, at most until
  /// then.
  void finish(time_point until);

  void on_ready() noexcept override;

 private:
  friend class router_link;

  enum class outcome { drained, more };
  outcome receive();
  bool receive_one(std::size_t& bytes);
  void deliver(router_link& to);
  router_link& find_or_meet(bool acceptable);
  router_link& meet(std::string_view id, int descriptor, bool acceptable);

  void read_monitor();
  void on_accepted(int descriptor);
  void shed_if_last(int descriptor, std::string_view peer) const;
  void on_disconnected(int descriptor);
  void tell_of_stranger(std::string_view peer);
  void mark_dying(router_link& one);
  void bury(outcome seen);
  void lose(router_link& one, const char* why);
  void give_up_address();
  void erase(router_link& one);

  bool hand_over(router_link& to, zmq_msg_t& message);
  void say_goodbye(router_link& to);
  void cut(router_link& one);
  void cut_late_ones();
  void stop();

  // Links are looked up by text that lies in a message, so that nothing is allocated for it.
  struct hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view id) const noexcept {
      return std::hash<std::string_view>{}(id);
    }
  };

  // Makes the router ready when it is time to cut a link off.
  class alarm final : public executors::timer {
   public:
    explicit alarm(router& whose) : router_(whose) {}
    void on_time() noexcept override { router_.loop_.notify(router_); }

   private:
    router& router_;
  };

  executors::event_loop& loop_;
  rpc::acceptor& acceptor_;
  const std::weak_ptr<keeper<router>> keeper_;
  socket socket_;
  std::unique_ptr<monitor> monitor_;
  std::unique_ptr<watch> watch_;
  std::unique_ptr<watch> monitor_watch_;
  std::string address_;
  std::string bound_;                // The same in libzmq's words.
  std::optional<socket_file> file_;  // Of an ipc address.
  bool open_ = false;                // Callbacks may be made.

  std::unordered_map<std::string, std::unique_ptr<router_link>, hash, std::equal_to<>> links_;
  router_link* last_ = nullptr;  // Who spoke last: peers speak in runs.
  std::unordered_map<int, router_link*> by_descriptor_;
  std::unordered_map<int, std::string> strangers_;  // Accepted, nothing heard of them yet.
  const char* failed_handshake_ = nullptr;          // Reported just before the descriptor is.
  std::string last_host_;                     // Of who connected last, as far as it could be told.
  std::uint64_t failed_before_any_host_ = 0;  // Handshakes, not logged yet.
  std::unordered_map<int, std::string>
      gone_unknown_;  // Gone before a message told whose they were.
  std::vector<router_link*> dying_;
  std::vector<router_link*> closing_;  // Told goodbye.
  alarm alarm_;

  zmq_msg_t id_;  // First part of the message that is being read; `body_` is the second.
  std::unique_ptr<received> body_;
};

}  // namespace mailroom::transports::zmq
