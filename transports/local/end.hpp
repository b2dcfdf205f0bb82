#pragma once

#include <mailroom/transports/local/lane.hpp>

#include <mailroom/framework/rpc/transport.hpp>

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace mailroom::transports::local {

/// The two directions of one link; each end holds it.
struct connection {
  lane to_acceptor;
  lane to_dialler;
  std::string dialler;  // For logs.
};

class end;

/// The ends that somebody owns: a transport those that it dialled, a port those that it accepted.
/// @threadsafe
class ownership {
 public:
  void add(std::shared_ptr<end> one);
  std::shared_ptr<end> remove(end& one);
  /// Closes all of them without a callback. Where they live, or after their loops stopped.
  void close_all();

 private:
  std::mutex mutex_;
  std::unordered_map<end*, std::shared_ptr<end>> ends_;  // Guarded by mutex_.
};

/// One end of a link, on its loop's thread.
class end final : public rpc::link,
                  public executors::event_loop::source,
                  public std::enable_shared_from_this<end> {
 public:
  /// A dialling end; without a `connection` nobody listens.
  end(executors::event_loop& on,
      std::shared_ptr<connection> through,
      std::string peer,
      rpc::link_observer& who,
      std::weak_ptr<ownership> owner,
      std::size_t max_frame);

  /// An accepting end, which `who` hears of when the first frame is here.
  end(executors::event_loop& on,
      std::shared_ptr<connection> through,
      std::string peer,
      rpc::acceptor& who,
      std::weak_ptr<ownership> owner,
      std::size_t max_frame);

  virtual ~end() = default;

  /// Once, after construction: from now on the neighbour may tell us.
  void attach();

  bool send(wire::buffer& frame) override;
  std::size_t unsent_bytes() const noexcept override;
  std::string_view peer_address() const noexcept override { return peer_; }
  void close(bool flush) override;

  void on_ready() noexcept override;

 private:
  /// These return false when the end has gone.
  bool open();
  bool deliver();

  bool gone() const noexcept { return !here_; }
  void leave(bool flush);
  void lose(const error& why);

  executors::event_loop& loop_;
  std::shared_ptr<connection> connection_;
  lane* in_ = nullptr;
  lane* out_ = nullptr;
  std::string peer_;
  rpc::link_observer* observer_ = nullptr;
  rpc::acceptor* acceptor_ = nullptr;
  std::weak_ptr<ownership> owner_;
  std::deque<wire::frame> arrived_;
  std::size_t max_frame_;
  bool dialled_ = false;
  bool open_ = false;
  bool refused_ = false;
  bool here_ = true;
};

}  // namespace mailroom::transports::local
