// A service and its caller, as a user would write them: two nodes, a handler of each style.
#include <mailroom/mailroom.hpp>

#include <chrono>
#include <iostream>
#include <string>

class inventory {
 public:
  int reserve(mailroom::context& /*ctx*/, std::string /*item*/, int count) {
    return left_ -= count;
  }

  mailroom::task<std::string> price(mailroom::context& ctx, std::string item) {
    co_await ctx.sleep(std::chrono::milliseconds(1));
    co_return item + " costs 7";
  }

  int restock(mailroom::context& ctx, std::string item) {
    const auto self = ctx.client({.topic = "inventory"});
    return self.call<int>("reserve", item, -10).value();
  }

 private:
  int left_ = 10;
};

int main() {
  mailroom::node server{{.listen = "tcp://127.0.0.1:0", .executor = "work-stealing"}};
  server.serve({.topic = "inventory", .version = "1.4"},
               mailroom::endpoint<inventory>()
                   .method("reserve", &inventory::reserve)
                   .method("price", &inventory::price, mailroom::idempotent)
                   .method("restock", &inventory::restock, mailroom::suspending));
  server.start().value();

  mailroom::node desk{{.connect = {server.address()}}};
  desk.start().value();
  const mailroom::client stock{desk, {.topic = "inventory", .version = "1.2"}};
  std::cout << stock.call<int>("reserve", "bolt", 3).value() << ", "
            << stock.call<int>("restock", "bolt").value() << ", "
            << stock.call<std::string>("price", "bolt").value() << '\n';
  return desk.stop() && server.stop() ? 0 : 1;
}
