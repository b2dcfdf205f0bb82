#include <mailroom/tests/cluster/emulated_path.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

namespace mailroom::tests {
namespace {

constexpr time_point start{std::chrono::seconds(1000)};
constexpr std::size_t packet_size = 1000;

emulated_path path_with(const std::string& settings) {
  emulated_path made(1);
  made.set(read_path_settings(settings).value());
  return made;
}

void put(emulated_path& into, int count) {
  for (int i = 0; i < count; ++i) {
    into.put(emulated_path::packet(packet_size, std::byte(i)), start);
  }
}

std::string arrived(emulated_path& from, time_point by) {
  std::string numbers;
  while (const auto each = from.take(by)) {
    numbers += static_cast<char>('0' + std::to_integer<int>(each->front()));
  }
  return numbers;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(emulated_link)

BOOST_AUTO_TEST_CASE(hands_on_at_once_and_in_order_if_it_is_told_nothing) {
  auto path = path_with("");
  BOOST_TEST((path.next() == time_point::max()));
  put(path, 5);
  BOOST_TEST((path.next() == start));
  BOOST_TEST(arrived(path, start) == "01234");
}

BOOST_AUTO_TEST_CASE(delays) {
  auto path = path_with("delay_ms=50");
  put(path, 3);
  BOOST_TEST(arrived(path, start + std::chrono::milliseconds(49)) == "");
  BOOST_TEST(arrived(path, start + std::chrono::milliseconds(50)) == "012");
}

BOOST_AUTO_TEST_CASE(delays_more_or_less_by_the_jitter) {
  auto path = path_with("delay_ms=50 jitter_ms=20");
  put(path, 1000);
  BOOST_TEST(arrived(path, start + std::chrono::milliseconds(29)).empty());
  const auto early = arrived(path, start + std::chrono::milliseconds(50)).size();
  BOOST_TEST((early > 400 && early < 600));
  BOOST_TEST(arrived(path, start + std::chrono::milliseconds(70)).size() + early == 1000U);
}

BOOST_AUTO_TEST_CASE(loses_and_doubles_its_share) {
  auto path = path_with("loss=0.2");
  put(path, 1000);
  const auto kept = arrived(path, start).size();
  BOOST_TEST((kept > 750 && kept < 850));
  path.set({.duplicate = 0.2});
  put(path, 1000);
  const auto doubled = arrived(path, start).size();
  BOOST_TEST((doubled > 1150 && doubled < 1250));
}

BOOST_AUTO_TEST_CASE(lets_its_share_go_before_others) {
  auto path = path_with("delay_ms=50 reorder=0.2");
  put(path, 1000);
  const auto early = arrived(path, start).size();
  BOOST_TEST((early > 150 && early < 250));
}

BOOST_AUTO_TEST_CASE(keeps_its_rate_and_loses_what_would_wait_for_long) {
  auto path = path_with("rate=1000000 queue_ms=50");  // A packet in 8 ms.
  put(path, 100);
  BOOST_TEST(arrived(path, start + std::chrono::milliseconds(7)) == "");
  BOOST_TEST(arrived(path, start + std::chrono::milliseconds(16)) == "01");
  // The last one began when the queue was just shorter than 50 ms.
  BOOST_TEST(arrived(path, start + std::chrono::seconds(10)) == "23456");
}

BOOST_AUTO_TEST_CASE(refuses_settings_that_it_does_not_know) {
  for (const char* wrong : {"dely_ms=50", "loss", "loss=", "loss=much", "loss=0.1%"}) {
    BOOST_TEST(!read_path_settings(wrong).has_value());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace mailroom::tests
