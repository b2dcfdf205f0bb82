// A service that writes down what it runs, in a file that the framework never reads: what tests
// compare with what callers were told.

#include <mailroom/mailroom.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

class journal {
 public:
  journal() : file_(::open(std::getenv("JOURNAL"), O_WRONLY | O_CREAT | O_APPEND, 0600)) {
    if (file_ < 0) {
      throw std::runtime_error("JOURNAL names no file that can be written");
    }
  }
  ~journal() { ::close(file_); }
  journal(const journal&) = delete;
  journal& operator=(const journal&) = delete;

  void write(mailroom::context&, std::string line) { append(line); }
  // The others wait meanwhile.
  void write_slowly(mailroom::context&, std::string line, int milliseconds) {
    append(line);
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  }
  mailroom::task<std::string> nap(mailroom::context& ctx, std::string line, int milliseconds) {
    append(line);
    co_await ctx.sleep(std::chrono::milliseconds(milliseconds));
    co_return line;
  }
  void hang(mailroom::context&) {
    for (;;) {
      ::pause();
    }
  }

 private:
  void append(const std::string& line) const {
    const std::string whole = line + "\n";
    if (::write(file_, whole.data(), whole.size()) != static_cast<ssize_t>(whole.size())) {
      throw std::runtime_error("the journal cannot be written");
    }
  }

  int file_;
};

}  // namespace

int main(int argc, char** argv) {
  return mailroom::run_service(argc, argv, [](mailroom::node& node) {
    for (const char* topic : {"journal", "other"}) {
      node.serve({.topic = topic},
                 mailroom::endpoint<journal>()
                     .method("write", &journal::write)
                     .method("write_slowly", &journal::write_slowly)
                     .method("nap", &journal::nap)
                     .method("hang", &journal::hang));
    }
  });
}
