// Whether two rollouts are the same.
#ifndef CURLEW_CONTROLLER_ROLLOUT_SAME_STATE_H_
#define CURLEW_CONTROLLER_ROLLOUT_SAME_STATE_H_

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message_lite.h>

#include <string>

#include "curlew/v1/rollout.pb.h"

namespace curlew::rollout {

// The message's bytes, the same for equal messages: SerializeAsString writes maps in any order.
inline std::string StableBytes(const google::protobuf::MessageLite& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializePartialToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

inline bool SameState(const v1::Rollout& a, const v1::Rollout& b) { return StableBytes(a) == StableBytes(b); }

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_SAME_STATE_H_
