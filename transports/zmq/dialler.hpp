#pragma once

#include <mailroom/transports/zmq/address.hpp>
#include <mailroom/transports/zmq/backlog.hpp>
#include <mailroom/transports/zmq/keeper.hpp>
#include <mailroom/transports/zmq/name_lookup.hpp>
#include <mailroom/transports/zmq/socket.hpp>

#include <mailroom/framework/rpc/transport.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <deque>
#include <memory>
#include <string>
#include <string_view>

namespace mailroom::transports::zmq {

/// One dialled link: a DEALER socket of its own, which never connects again by itself.
class dialler final : public rpc::link,
                      public executors::event_loop::source,
                      public std::enable_shared_from_this<dialler> {
 public:
  dialler(std::shared_ptr<context> in,
          executors::event_loop& on,
          address where,
          rpc::link_observer& who,
          std::weak_ptr<keeper<dialler>> owner);
  virtual ~dialler();

  /// Once.
  void start();

  bool send(wire::buffer& frame) override;
  std::size_t unsent_bytes() const noexcept override { return backlog_->unsent(); }
  std::string_view peer_address() const noexcept override { return peer_; }
  void close(bool flush) override;

  void on_ready() noexcept override;

  /// For the end of the loop: closes without a callback and waits until what was sent has left, at
  /// most until then.
  void finish(time_point until);

 private:
  enum class state {
    resolving,
    connecting,
    diagnosing,  // Nobody answered; libzmq does not say why, so the system is asked.
    up,
    leaving,  // Closed by our side, goodbye on its way.
    gone
  };

  void resolve();
  void connect(const std::string& host);
  void read_monitor();
  void open();
  bool receive();
  bool deliver(bool more);
  void diagnose();
  void fail(const std::string& why);
  bool try_another();
  void end(errc code, const std::string& why);
  void leave();
  void let_go_of_socket();
  void abandon();
  bool hand_over(zmq_msg_t& message);

  // Makes the link ready when its patience ends.
  class alarm final : public executors::timer {
   public:
    explicit alarm(dialler& whose) : dialler_(whose) {}
    void on_time() noexcept override { dialler_.loop_.notify(dialler_); }

   private:
    dialler& dialler_;
  };

  std::shared_ptr<context> context_;
  executors::event_loop& loop_;
  const address address_;
  std::string peer_;
  rpc::link_observer* observer_;
  const std::weak_ptr<keeper<dialler>> owner_;
  state state_ = state::resolving;
  backlog* const backlog_;
  bool refused_ = false;  // A send, for want of room.
  bool disconnected_ = false;
  std::string failure_;  // Why it did not come up.
  alarm alarm_;
  time_point patience_{};

  std::unique_ptr<socket> socket_;
  std::unique_ptr<monitor> monitor_;
  std::unique_ptr<watch> watch_;
  std::unique_ptr<watch> monitor_watch_;
  std::unique_ptr<received> body_;
  std::unique_ptr<name_lookup> lookup_;
  std::deque<std::string> others_;  // Addresses of the name that have not been tried.
  std::unique_ptr<boost::asio::ip::tcp::socket> probe_;
};

}  // namespace mailroom::transports::zmq
