// What agents that run signed plans alone are told besides: what people have signed. Pure.
#ifndef CURLEW_CONTROLLER_DISPATCH_SIGNED_WORDS_H_
#define CURLEW_CONTROLLER_DISPATCH_SIGNED_WORDS_H_

#include <string>

#include "curlew/v1/operator.pb.h"
#include "curlew/v1/rollout.pb.h"
#include "curlew/v1/signature.pb.h"

namespace curlew::dispatch {

// The plan's signatures that are for `target`, the newest first; where none is, the newest of all, so that
// the agent can say what is wrong with it.
google::protobuf::RepeatedPtrField<v1::PlanSignature> SignaturesFor(const v1::StoredPlan& plan,
                                                                    const std::string& target);

// The signed approvals that count of the gate before DROP of the run on `target`.
google::protobuf::RepeatedPtrField<v1::DecisionSignature> DropDecisionsFor(const v1::Rollout& rollout,
                                                                           const std::string& target);

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_SIGNED_WORDS_H_
