// runtime/cpu/ends.h -- embedding and cross entropy, on the rows or columns of the vocabulary a rank holds.
#pragma once

#include "runtime/cpu/call.h"

namespace ithaca {

template <class T>
void compute(const Embed&, const Call<T>&);
template <class T>
void compute(const EmbedGrad&, const Call<T>&);
template <class T>
void compute(const RowMax&, const Call<T>&);
template <class T>
void compute(const SumExp&, const Call<T>&);
template <class T>
void compute(const Pick&, const Call<T>&);
template <class T>
void compute(const LogSoftmax&, const Call<T>&);
template <class T>
void compute(const TokenLoss&, const Call<T>&);
template <class T>
void compute(const TokenLossGrad&, const Call<T>&);

}  // namespace ithaca
