#include <mailroom/framework/base/error.hpp>

#include <iostream>

int main() {
  const mailroom::error why(mailroom::errc::expired, "an outside project");
  std::cout << why.message() << ": " << mailroom::to_string(why.code()) << '\n';
}
