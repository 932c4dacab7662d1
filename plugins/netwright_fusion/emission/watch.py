"""The parts of a generated module that are the same in all of them: keeping what depends on parameters only."""

WATCH = '''
class {watch}:
    """Notices when one of a module's tensors was changed, replaced or moved."""

    def __init__(self, module, names):
        self.tensors = []
        links = {{}}
        for name in names:
            *path, last = name.split(".")
            owner = module
            for part in path:
                links[id(owner), part] = (owner._modules, part, owner._modules[part])
                owner = owner._modules[part]
            table = owner._parameters if last in owner._parameters else owner._buffers
            tensor = table[last]
            version = None if tensor.is_inference() else tensor._version
            self.tensors.append((table, last, tensor, version, tensor.data_ptr(), tensor.detach()))
        self.links = list(links.values())

    def is_unchanged(self):
        for table, name, module in self.links:
            if table.get(name) is not module:
                return False
        for table, name, tensor, version, address, _ in self.tensors:
            if table.get(name) is not tensor or tensor.data_ptr() != address:
                return False
            if version is not None and tensor._version != version:
                return False
        return True
'''

PREPARED = '''
    def {prepared}(self, device):
        """What {prepare} gives: kept until a tensor that it comes from changes; made anew where gradients are on."""
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return self.{prepare}(device)
        kept = self.{kept}
        if kept is None or kept[0] != device or not kept[1].is_unchanged():
            with torch.no_grad(), torch.autocast(device.type, enabled=False):
                tensors = self.{prepare}(device)
{marks}            kept = self.{kept} = (device, {watch}(self, self.{sources}), tensors)
        return kept[2]
'''

STATIC = """            for tensor in tensors:
                torch._dynamo.mark_static_address(tensor, guard=False)  # they stay where they are
"""
FROZEN = """            tensors = {record}(*(tensor.detach() for tensor in tensors))
            for tensor in tensors:
                torch._dynamo.mark_static_address(tensor, guard=True)  # constants of the compiled code
"""
