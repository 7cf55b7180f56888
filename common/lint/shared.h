// A value that its copies share for as long as none of them changes it.
#ifndef CURLEW_COMMON_LINT_SHARED_H_
#define CURLEW_COMMON_LINT_SHARED_H_

#include <memory>

namespace curlew::lint {

// Copies cost nothing, whatever T holds. What was read through one stays where it is until Change() of the
// same copy. Copies that were made from one that is never changed or destroyed may be used in different
// threads; else as a T. One that was moved from can only be assigned to and destroyed.
template <typename T>
class Shared {
 public:
  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_.get(); }

  // The value, to be changed in this copy alone.
  T& Change() {
    if (value_.use_count() > 1) value_ = std::make_shared<T>(*value_);
    return *value_;
  }

 private:
  std::shared_ptr<T> value_ = std::make_shared<T>();
};

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_SHARED_H_
