"""Cases from model collections: timm, torchvision, transformers, and KernelBench problem files."""
