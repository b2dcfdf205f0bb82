#include <mailroom/framework/base/block_cache.hpp>

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

namespace mailroom::tests::block_cache_test {
namespace {

constexpr std::size_t size = 192;
using cache = mailroom::block_cache<size>;

BOOST_AUTO_TEST_SUITE(block_cache)

BOOST_AUTO_TEST_CASE(gives_blocks_that_nobody_else_has) {
  std::set<void*> all;
  std::vector<void*> kept;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5000; ++i) {  // More than it keeps.
      void* const block = cache::take();
      std::memset(block, i, size);
      BOOST_TEST_REQUIRE(all.insert(block).second);
      kept.push_back(block);
    }
    for (void* const block : kept) {
      cache::give_back(block);
    }
    kept.clear();
    all.clear();
  }
}

BOOST_AUTO_TEST_CASE(takes_blocks_that_another_thread_made_and_outlives_threads) {
  std::vector<void*> made;
  std::thread([&] {
    for (int i = 0; i < 2000; ++i) {
      made.push_back(cache::take());
      cache::give_back(cache::take());
    }
  }).join();
  for (void* const block : made) {
    std::memset(block, 1, size);
    cache::give_back(block);
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
BOOST_AUTO_TEST_CASE(uses_first_what_was_given_back_last) {
  void* const block = cache::take();
  cache::give_back(block);
  BOOST_TEST(cache::take() == block);
  cache::give_back(block);
}
#endif

BOOST_AUTO_TEST_SUITE_END()

}  // namespace

}  // namespace mailroom::tests::block_cache_test
