#include "common/base/id.h"

#include <random>

namespace curlew::base {

std::string RandomId(int length) {
  static constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::random_device random;
  std::string id;
  for (int i = 0; i < length; ++i) {
    id.push_back(kAlphabet[std::uniform_int_distribution<int>(0, i == 0 ? 25 : 35)(random)]);
  }
  return id;
}

}  // namespace curlew::base
